import { checkSubscription } from './check-subscription.ts'
import type { AnyEvent, EventGroup } from './event.ts'
import { checkKnown, invalidOption } from './options.ts'
import { listEvents, type SubscriptionDefinition } from './subscription.ts'
import type { CommonSubscribeOptions } from './subscription-options.ts'

const inherited = [
  'prefetch',
  'prefetchBytes',
  'leaseMs',
  'holdMs',
  'ordered',
  'rateLimit',
  'circuit',
  'use',
  'deadLetters',
  'onDeadLetter',
  'startAt',
] as const

export interface BridgeOptions extends Pick<CommonSubscribeOptions, (typeof inherited)[number]> {
  /** The transport to read from, by its name on the bus. */
  readonly from: string
  /** The transport to publish to, by its name on the bus. */
  readonly to: string
  /** The group that reads; another one begins anew. Default `bridge-to-<to>`. */
  readonly group?: string | undefined
  /** Messages on their way at once in this process. Default 64. */
  readonly concurrency?: number | undefined
}

/**
 * Forwards events from one transport of a bus to another, as a subscription: the same id, time, key, metadata and trace,
 * and the payload's bytes unread, so that also what cannot be decoded goes on. At least once: readers on the other side
 * know a duplicate by its id. While the target is away messages wait and burn no attempt; what it refuses is
 * dead-lettered. A message never goes back to a transport it came from, by the names that the bridging buses give them.
 */
export function bridge(
  events: AnyEvent | readonly AnyEvent[] | EventGroup | 'everything',
  options: BridgeOptions,
): SubscriptionDefinition {
  checkKnown('bridge', options, ['from', 'to', 'group', 'concurrency', ...inherited])
  const { from, to, group = `bridge-to-${to}`, concurrency = 64, ...rest } = options
  for (const [option, name] of Object.entries({ from, to }))
    if (typeof name !== 'string') throw invalidOption(option, 'expected the name of a transport of the bus')
  if (from === to) throw invalidOption('to', `messages are read from "${from}" already`)
  const list = events === 'everything' ? events : listEvents(events)
  const subscribe = { ...rest, transport: from, group, concurrency }
  checkSubscription('bridge', subscribe, false)
  return {
    events: list,
    options: subscribe,
    '~subscription': { kind: 'each', handler: () => {}, forwardTo: to },
  }
}
