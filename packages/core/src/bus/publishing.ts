import { requireValue } from '../context-key.ts'
import { validate } from '../decode.ts'
import type { ReceivedDelivery } from '../delivery.ts'
import type { EncodedMessage } from '../encoded-message.ts'
import { evtError } from '../errors.ts'
import type { AnyEvent } from '../event.ts'
import { headerTable } from '../header-table.ts'
import { isMessage, type Message, messageOptionNames } from '../message.ts'
import { compose, inOrder, type Middleware, type OutgoingDraft } from '../middleware.ts'
import { checkKnown, checkMethods, invalidOption } from '../options.ts'
import type { Outbox, StoredMessage } from '../outbox.ts'
import type { Published, PublishOptions } from '../publish-options.ts'
import { isUnchecked } from '../standard-schema.ts'
import type { Outgoing, PublishFailure } from '../transport.ts'
import type { EventList } from './context.ts'
import type { Draft, Encoder } from './encoder.ts'
import type { Publisher } from './publisher.ts'
import type { Router } from './router.ts'
import type { TransportPort } from './transport-port.ts'

interface PublishingParts {
  readonly service: string
  readonly encoder: Encoder
  readonly router: Router
  readonly events: EventList
  readonly middleware: readonly Middleware[]
  readonly outbox: Outbox<never> | undefined
  readonly outsideTransaction: 'publish' | 'store' | 'refuse'
  /** The outbox's relay has something to do from now on. */
  onStored(): void
}
export interface Publishing {
  readonly publishMessages: PublishMessages
  /** One message of an event, published by nobody's handler. Never throws. */
  publishOne(event: AnyEvent, payload: unknown, options: PublishOptions<unknown> | undefined): Promise<Published>
}
export type PublishMessages = (
  messages: readonly Message[],
  options: PublishOptions<unknown>,
  parent: ReceivedDelivery | undefined,
  idOf?: (index: number) => string,
) => Promise<readonly Published[]>

const knownOptions = [...messageOptionNames, 'transaction', 'signal']
type Destination =
  | { readonly kind: 'transaction'; readonly transaction: unknown }
  | { readonly kind: 'store' | 'publish' }

/** Validates, runs publishing middleware, encodes once and hands over to the transport or the outbox. */
export function createPublishing(parts: PublishingParts): Publishing {
  const { encoder, router, events, outbox, service } = parts
  const around = inOrder(parts.middleware).flatMap((each) =>
    each.publish === undefined ? [] : [each.publish.bind(each)],
  )

  const draftOf = (
    message: Message,
    options: PublishOptions<unknown>,
    parent: ReceivedDelivery | undefined,
    id: string | undefined,
  ): Draft | Promise<Draft> => {
    if (!isMessage(message)) throw invalidOption('messages', 'expected messages made by event.of')
    const { event } = message
    events.add(event)
    const own = { ...message.options, ...options } as PublishOptions
    const drafted = (payload: unknown): Draft => ({
      event,
      id: own.id === undefined && id !== undefined ? id : encoder.idOf(own),
      payload,
      options: own,
      parent,
      added: undefined,
    })
    const validated = validate(event, event.schema, message.payload)
    return validated instanceof Promise ? validated.then(drafted) : drafted(validated)
  }
  const destination = (draft: Draft, options: PublishOptions<unknown>): Destination => {
    if (options.transaction !== undefined) {
      if (outbox === undefined) {
        const text = `The bus "${service}" has no outbox, so it cannot publish in a transaction`
        throw evtError('EVT_TRANSACTION_UNSUPPORTED', text, { service })
      }
      return { kind: 'transaction', transaction: options.transaction }
    }
    const ambient = outbox?.ambient()
    if (ambient !== undefined) return { kind: 'transaction', transaction: ambient }
    if (outbox === undefined || parts.outsideTransaction === 'publish') return { kind: 'publish' }
    if (parts.outsideTransaction === 'store') return { kind: 'store' }
    const text = `"${draft.event.name}" may be published inside a transaction only`
    throw evtError('EVT_TRANSACTION_REQUIRED', text, { event: draft.event.name })
  }
  const encodeFor = (draft: Draft, ports: readonly TransportPort[], stored: boolean): readonly Outgoing[] => {
    let encoded: Outgoing | undefined
    return ports.map((port) => {
      const topic = port.topicOf(draft.event.name)
      if (!stored && port.transport.supports.byReference) return encoder.encode(draft, topic, true)
      encoded ??= encoder.encode(draft, topic, false)
      return encoded
    })
  }
  const send = async (all: readonly Draft[], options: PublishOptions<unknown>): Promise<readonly Published[]> => {
    const drafts = all.filter((draft) => draft.event['~event'].discards === undefined)
    if (drafts.length < all.length) {
      const sent = new Map(
        (drafts.length === 0 ? [] : await sendKept(drafts, options)).map((published) => [published.id, published]),
      )
      return all.map((draft) => sent.get(draft.id) ?? { id: draft.id, via: 'nowhere' })
    }
    return sendKept(drafts, options)
  }
  const sendKept = async (
    drafts: readonly Draft[],
    options: PublishOptions<unknown>,
  ): Promise<readonly Published[]> => {
    const where = destination(drafts[0]!, options)
    if (where.kind !== 'publish') {
      const stored: StoredMessage[] = []
      for (const draft of drafts) {
        const ports = router.portsOf(draft.event.name)
        const outgoing = encodeFor(draft, ports, true)
        for (let index = 0; index < ports.length; index += 1) {
          // Named one by one: an object that is spread into another and added to takes twenty times as long.
          const { id, topic, key, headers, payload } = outgoing[index]!
          stored.push({ transport: ports[index]!.name, id, topic, key, headers, payload })
        }
      }
      if (where.kind === 'transaction') await outbox!.append(where.transaction, stored)
      else await outbox!.store(stored)
      parts.onStored()
      return drafts.map((draft) => ({ id: draft.id, via: 'outbox' }))
    }
    // All are encoded before any is sent, so that one that cannot be encoded stops them all.
    const routed = drafts.map((draft) => {
      const ports = router.portsOf(draft.event.name)
      return { ports, outgoing: encodeFor(draft, ports, false) }
    })
    const [first] = routed
    if (routed.length === 1 && first!.ports.length === 1)
      return [await first!.ports[0]!.publisher.publish(first!.outgoing[0]!)]
    const handed: Promise<Published>[] = []
    const indexes: number[] = []
    for (const [index, { ports, outgoing }] of routed.entries()) {
      for (const [place, port] of ports.entries()) {
        handed.push(port.publisher.publish(outgoing[place]!))
        indexes.push(index)
      }
    }
    return whenAllAccepted(drafts, handed, indexes)
  }
  /** All drafts pass their middleware, then they are sent together, then every `next` resolves. */
  const sendAround = (drafts: readonly Draft[], options: PublishOptions<unknown>): Promise<readonly Published[]> => {
    const arrived = new Set<OutgoingDraft>()
    let published: readonly Published[] = []
    const sent = deferred<void>()
    let isStopped = false
    // Whoever awaits is told below; one that nobody reached must not count as unhandled.
    sent.promise.catch(() => undefined)
    const chain = compose<OutgoingDraft, void>(around, (draft) => {
      arrived.add(draft)
      if (arrived.size === drafts.length && !isStopped) {
        send(drafts, options).then((result) => {
          published = result
          sent.resolve()
        }, sent.reject)
      }
      return sent.promise
    })
    const through = drafts.map(toOutgoingDraft).map(async (draft) => {
      try {
        await chain(draft)
        if (!arrived.has(draft)) throw evtError('EVT_MIDDLEWARE_NEXT', 'A middleware neither called next nor threw', {})
      } catch (error) {
        // Nothing is sent any more, and those that wait for it must not wait for ever.
        isStopped = true
        sent.reject(error)
        throw error
      }
    })
    return Promise.all(through)
      .then(() => sent.promise)
      .then(() => published)
  }

  const publishMessages: PublishMessages = async (messages, options, parent, idOf) => {
    checkKnown('publish', options, knownOptions)
    if (options.signal !== undefined) checkMethods('signal', options.signal, ['throwIfAborted', 'addEventListener'])
    options.signal?.throwIfAborted()
    if (!Array.isArray(messages)) throw invalidOption('messages', 'expected a list of messages made by event.of')
    if (messages.length === 0) return []
    if (messages.length > 1 && parent === undefined) {
      const plain = encodePlainly(messages, options)
      if (plain !== undefined) return whenAllAccepted(plain.outgoing, plain.send())
    }
    const sending = draftAndSend(messages, options, parent, idOf)
    return options.signal === undefined ? sending : unlessAborted(sending, options.signal)
  }
  const draftAndSend: PublishMessages = async (messages, options, parent, idOf) => {
    const drafts: Draft[] = []
    for (let index = 0; index < messages.length; index += 1) {
      const draft = draftOf(messages[index]!, options, parent, idOf?.(index))
      drafts.push(draft instanceof Promise ? await draft : draft)
    }
    options.signal?.throwIfAborted()
    return around.length === 0 ? send(drafts, options) : sendAround(drafts, options)
  }
  const ways = new Map<AnyEvent, PlainWay | undefined>()
  const wayOf = (event: AnyEvent): PlainWay | undefined => {
    events.add(event)
    const ports = router.portsOf(event.name)
    const [port] = ports
    const isPlain = ports.length === 1 && around.length === 0 && event['~event'].discards === undefined
    const way = isPlain ? plainWay(event, port!, encoder) : undefined
    ways.set(event, way)
    return way
  }
  const goesAtOnce = () =>
    outbox === undefined || (parts.outsideTransaction === 'publish' && outbox.ambient() === undefined)
  const knownWayOf = (event: AnyEvent) => ways.get(event) ?? (ways.has(event) ? undefined : wayOf(event))
  /** A list that goes the short way, encoded as a whole before any of it is sent; undefined where one message does not. */
  const encodePlainly = (messages: readonly Message[], options: PublishOptions<unknown>) => {
    if (around.length > 0 || !isEmpty(options) || !goesAtOnce()) return undefined
    const outgoing: EncodedMessage[] = []
    const publishers: Publisher[] = []
    for (const message of messages) {
      if (!isMessage(message) || !isEmpty(message.options)) return undefined
      const way = knownWayOf(message.event)
      const valid = way?.isUnchecked ? message.payload : validate(message.event, message.event.schema, message.payload)
      if (way === undefined || valid instanceof Promise) return undefined
      outgoing.push(way.encode(valid))
      publishers.push(way.publisher)
    }
    return {
      outgoing,
      send: () => outgoing.map((message, index) => publishers[index]!.hand(message, message.timeMs)),
    }
  }
  const publishOne: Publishing['publishOne'] = (event, payload, options) => {
    try {
      const way = options === undefined ? knownWayOf(event) : undefined
      if (way !== undefined && goesAtOnce()) {
        const valid = way.isUnchecked ? payload : validate(event, event.schema, payload)
        return valid instanceof Promise ? valid.then(way.publish) : way.publish(valid)
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return publishMessages([event.of(payload)], options ?? {}, undefined).then(([published]) => published!)
  }
  return { publishMessages, publishOne }
}

/** How messages of an event go to their one transport when nothing stands between: worked out once. */
interface PlainWay {
  readonly isUnchecked: boolean
  readonly publisher: Publisher
  encode(payload: unknown): EncodedMessage
  publish(payload: unknown): Promise<Published>
}

function plainWay(event: AnyEvent, port: TransportPort, encoder: Encoder): PlainWay {
  const stamp = encoder.stampOf(event)
  const topic = port.topicOf(event.name)
  const { publisher } = port
  const { byReference } = port.transport.supports
  return {
    isUnchecked: isUnchecked(event.schema),
    publisher,
    encode: (payload) => encoder.encodePlain(stamp, topic, payload, byReference),
    publish(payload) {
      const message = encoder.encodePlain(stamp, topic, payload, byReference)
      return publisher.publish(message, message.timeMs)
    },
  }
}

function isEmpty(options: object): boolean {
  for (const _name in options) return false
  return true
}

/**
 * What became of a list: all accepted, or `EVT_PUBLISH_PARTIAL` with the fate of every index. `indexes` tells which message
 * was handed over where messages go to several transports. One that all of its transports failed alike is out nowhere.
 */
async function whenAllAccepted(
  messages: readonly { readonly id: string }[],
  handed: readonly unknown[],
  indexes?: readonly number[],
): Promise<readonly Published[]> {
  const isWaiting = handed.some((each) => each instanceof Promise)
  const results = isWaiting ? await Promise.allSettled(handed) : []
  const failures: PublishFailure[] = []
  for (let at = 0; at < results.length; at += 1) {
    const result = results[at]!
    if (result.status === 'rejected')
      failures.push({ index: indexes?.[at] ?? at, outcome: outcomeOf(result.reason), error: result.reason })
  }
  const ids = messages.map(({ id }) => id)
  if (failures.length === 0) return ids.map((id) => ({ id, via: 'transport' }))
  const [first] = failures
  const areAlike = failures.length === handed.length && failures.every(({ outcome }) => outcome === first!.outcome)
  if (ids.length === 1 && areAlike) throw first!.error
  const isSplit = ids.length < handed.length
  const count = new Set(failures.map(({ index }) => index)).size
  const text = `${count} of ${ids.length} messages were not accepted${isSplit ? ' by all of their transports' : ''}: ${(first!.error as Error).message}`
  throw evtError('EVT_PUBLISH_PARTIAL', text, { failures, ids }, { cause: first!.error, retryable: true })
}

function toOutgoingDraft(draft: Draft): OutgoingDraft {
  return {
    type: draft.event.name,
    id: draft.id,
    payload: draft.payload,
    metadata(name, value) {
      draft.added ??= headerTable()
      draft.added[name] = value
    },
    get: (key) => (draft.parent === undefined ? requireValue(undefined, key) : draft.parent.get(key)),
    find: (key) => draft.parent?.find(key),
  }
}

function outcomeOf(error: unknown): PublishFailure['outcome'] {
  const code = (error as { code?: string }).code
  if (code === 'EVT_PUBLISH_REFUSED') return 'refused'
  return code === 'EVT_PUBLISH_UNAVAILABLE' ? 'unavailable' : 'unknown'
}

function deferred<Value>(): {
  promise: Promise<Value>
  resolve: (value: Value) => void
  reject: (error: unknown) => void
} {
  let resolve!: (value: Value) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
