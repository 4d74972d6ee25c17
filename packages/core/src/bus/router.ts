import { evtError } from '../errors.ts'
import type { AnyEvent, EventGroup } from '../event.ts'
import { checkKnown, invalidOption } from '../options.ts'
import type { TransportPort } from './transport-port.ts'

/** Which transports an event travels over. */
export interface Route<Names extends string = string> {
  /** Events, or a name ending in `*` that stands for every name beginning like it. */
  readonly events: EventGroup | readonly AnyEvent[] | `${string}*`
  /** Several: one message to each; subscriptions read the first unless they name another. */
  readonly to: Names | readonly [Names, ...Names[]]
}

export interface Router {
  /** The transports of an event, at least one; the first is where subscriptions read. */
  portsOf(event: string): readonly TransportPort[]
  /** The port of a name, or `EVT_TRANSPORT_UNKNOWN`. */
  port(name: string): TransportPort
}

/** First match wins; the default takes the rest. */
export function createRouter(
  ports: ReadonlyMap<string, TransportPort>,
  routes: readonly Route[],
  fallback: string,
): Router {
  const port = (name: string) => {
    const found = ports.get(name)
    if (found !== undefined) return found
    const known = [...ports.keys()]
    throw evtError('EVT_TRANSPORT_UNKNOWN', `This bus has no transport "${name}"; it has ${known.join(', ')}`, {
      transport: name,
      known,
    })
  }
  if (!Array.isArray(routes)) throw invalidOption('routes', 'expected a list of routes')
  const parsed = (routes as readonly Route[]).map((route) => {
    checkKnown('A route', route, ['events', 'to'])
    const names: readonly string[] = typeof route.to === 'string' ? [route.to] : (route.to ?? [])
    // Nowhere to go would be a silent loss; `discard` says it aloud.
    if (names.length === 0) throw invalidOption('routes.to', 'expected the name of a transport, or several')
    return { matches: matcher(route.events), ports: [...new Set(names)].map(port) }
  })
  if (typeof fallback !== 'string')
    throw invalidOption('defaultTransport', `expected one of ${[...ports.keys()].join(', ')}`)
  const rest = [port(fallback)]
  const cache = new Map<string, readonly TransportPort[]>()
  const portsOf = (event: string) => {
    let found = cache.get(event)
    if (found === undefined) {
      found = parsed.find((route) => route.matches(event))?.ports ?? rest
      cache.set(event, found)
    }
    return found
  }
  return { portsOf, port }
}

function matcher(events: Route['events']): (event: string) => boolean {
  if (typeof events === 'string') {
    if (!events.endsWith('*')) throw invalidOption('routes.events', 'expected events or a prefix ending in "*"')
    const prefix = events.slice(0, -1)
    return (event) => event.startsWith(prefix)
  }
  if (typeof events !== 'object' || events === null)
    throw invalidOption('routes.events', 'expected events or a prefix ending in "*"')
  const list: readonly AnyEvent[] = Array.isArray(events) ? events : Object.values(events)
  for (const event of list)
    if (event?.['~event'] === undefined) throw invalidOption('routes.events', 'expected what defineEvent returns')
  const names = new Set(list.map((event) => event.name))
  return (event) => names.has(event)
}
