import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import {
  type Consumer,
  type ConsumerEvents,
  type ConsumerState,
  type ConsumeSpec,
  checkKnown,
  type ErrorRecord,
  evtError,
  type Headers,
  invalidOption,
  type Outgoing,
  type StartAt,
  type Transport,
  type TransportDelivery,
  type TransportSupport,
  type TrimReport,
  wholeNumber,
} from '@evt/core'

export interface ToyTransportOptions {
  /** Where the broker listens. Required. */
  readonly port: number
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
}

/** What the broker can do, no more: core, the documentation and the suite read nothing else. */
const supports: TransportSupport = {
  durability: 'broker',
  groups: true,
  ordering: { plain: 'process', partitioned: 'none' },
  lease: 'message',
  fencing: 'broker',
  delay: { maxMs: 7 * 86_400_000, precisionMs: 10 },
  attempts: 'exact',
  release: 'free',
  starts: ['earliest', 'latest', 'time', 'position'],
  deadLetters: 'broker',
  targeted: false,
  lag: 'exact',
  dedupeWindowMs: 0,
  retention: 'acknowledged',
  publishOrder: 'prefix',
  confirms: 'accepted',
  maxMessageBytes: 1_024 * 1_024,
  byReference: false,
  readOverrun: 0,
}

/** Messages over the toy broker. The broker keeps them in its memory: what it has is lost when its process ends. */
export function toyTransport(options: ToyTransportOptions): Transport {
  checkKnown('toyTransport', options, ['port', 'host'])
  const port = wholeNumber('port', options.port, { min: 1, max: 65_535, default: 0 })
  if (port === 0) throw invalidOption('port', 'expected the port of a broker')
  const client = connectTo(options.host ?? '127.0.0.1', port)
  return {
    name: 'toy',
    supports,
    async open() {
      await client.ask({ op: 'declare', topic: 'evt.probe' })
    },
    async declare({ name, partitions }) {
      if (partitions !== undefined) {
        const text = `The toy broker has no partitions, so "${name}" cannot have ${partitions}`
        throw evtError('EVT_TRANSPORT_PARTITIONS', text, { topic: name, wanted: partitions, actual: undefined })
      }
      await client.ask({ op: 'declare', topic: name })
      return { name, partitions: undefined }
    },
    // A rejection says that the outcome of all is unknown, and so it is when the connection breaks.
    async publish(batch) {
      const { refused } = await client.ask({ op: 'publish', messages: batch.map(toWire) })
      const error = new Error(`more than ${supports.maxMessageBytes} bytes`)
      return (refused as number[]).map((index) => ({ index, outcome: 'refused', error }))
    },
    async consume(spec, events) {
      const consumer = toyConsumer(client, spec, events)
      await consumer.join()
      return consumer
    },
    inspect: async (topic) => (await client.ask({ op: 'inspect', topic })).groups as ConsumerState[],
    trim: async (topic) => (await client.ask({ op: 'trim', topic })) as unknown as TrimReport,
    async readDeadLetters(topic, { after, limit }) {
      const { letters } = await client.ask({ op: 'letters', topic, after: Number(after ?? 0), limit })
      return (letters as WireLetter[]).map(({ letter, group, position, reason, history, ...message }) => ({
        id: String(letter),
        consumer: group,
        position: String(position),
        reason,
        history,
        ...fromWire(message),
      }))
    },
    async removeDeadLetters(topic, ids) {
      await client.ask({ op: 'removeLetters', topic, ids: ids.map(Number) })
    },
    close: () => client.close(),
  }
}

/** One reader. A group that is gone, as after the end of the broker's process, is made again and reported. */
function toyConsumer(
  client: Client,
  spec: ConsumeSpec,
  events: ConsumerEvents,
): Consumer & { join(): Promise<unknown> } {
  const { leaseMs } = spec
  const ephemeral = 'reader' in spec.as && spec.as.reader === 'ephemeral'
  const place = { topic: spec.topic, group: spec.consumer }
  const join = () => client.ask({ op: 'group', ...place, from: startOf(spec.from), ephemeral })
  const ofTokens = (tokens: unknown, held: readonly TransportDelivery[]) =>
    held.filter(({ receipt }) => (tokens as unknown[]).includes(receipt))
  return {
    join,
    async read(room, signal) {
      const request = { op: 'read', ...place, max: room.messages, maxBytes: room.bytes, leaseMs }
      try {
        const { deliveries } = await client.ask(request, signal)
        return (deliveries as WireDelivery[]).map((delivery) => toDelivery(delivery, leaseMs))
      } catch (error) {
        if ((error as Error).message !== 'no such group') throw error
        await join()
        events.recreated(`group ${spec.consumer}`)
        return []
      }
    },
    async settle(batch) {
      const settlements = batch.map(({ delivery, ...settlement }) => ({ token: delivery.receipt, ...settlement }))
      const { lost } = await client.ask({ op: 'settle', ...place, settlements })
      const held = batch.map(({ delivery }) => delivery)
      return ofTokens(lost, held).map((delivery) => ({ delivery, reason: 'the lease was lost' }))
    },
    async extend(held) {
      const tokens = held.map(({ receipt }) => receipt)
      return ofTokens((await client.ask({ op: 'extend', ...place, tokens, leaseMs })).lost, held)
    },
    async close() {
      if (ephemeral) await client.ask({ op: 'leave', ...place }).catch(() => undefined)
    },
  }
}

interface WireMessage {
  readonly key?: string | undefined
  readonly headers: Headers
  readonly payload: string
}
interface WireDelivery extends WireMessage, Pick<TransportDelivery, 'attempt' | 'deliveries' | 'suspect'> {
  readonly position: number
  readonly token: number
}
interface WireLetter extends WireMessage {
  readonly letter: number
  readonly group: string
  readonly position: number
  readonly reason: string
  readonly history: readonly ErrorRecord[]
}

function toWire({ id, topic, key, headers, payload }: Outgoing): object {
  return { id, topic, key, headers, payload: Buffer.from(payload).toString('base64') }
}
function fromWire({ key, headers, payload }: WireMessage): Pick<TransportDelivery, 'key' | 'headers' | 'payload'> {
  // Without a prototype: a header may have any name.
  const copied = Object.assign(Object.create(null) as Record<string, string>, headers)
  return { key, headers: copied, payload: Buffer.from(payload, 'base64') }
}
function toDelivery({ position, token, ...delivery }: WireDelivery, leaseMs: number): TransportDelivery {
  const { attempt, deliveries, suspect } = delivery
  const known = { attempt, deliveries, suspect, leaseMs, partition: 0, position: String(position) }
  return { ...fromWire(delivery), ...known, receipt: token }
}
function startOf(from: StartAt): unknown {
  if (typeof from === 'string') return from
  if (from instanceof Date) return { atMs: from.getTime() }
  if (!/^\d+$/.test(from.position)) throw invalidOption('startAt', 'expected the position of a message of this topic')
  return { after: Number(from.position) }
}

interface Client {
  /** Sends a request and resolves to its answer. Rejects when the connection breaks; the next request makes a new one. */
  ask(request: object, signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>>
  close(): Promise<void>
}
interface Answer {
  readonly id: number
  readonly error?: string
  readonly [field: string]: unknown
}
interface Waiting {
  resolve(answer: Readonly<Record<string, unknown>>): void
  reject(error: Error): void
}

function connectTo(host: string, port: number): Client {
  const waiting = new Map<number, Waiting>()
  let socket: Socket | undefined
  let last = 0
  const answered = ({ id, error, ...answer }: Answer) => {
    const request = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) request?.resolve(answer)
    else request?.reject(new Error(error))
  }
  const connection = (): Socket => {
    if (socket !== undefined) return socket
    const made = createConnection({ host, port, noDelay: true })
    socket = made
    const lines = createInterface({ input: made })
    lines.on('error', () => made.destroy())
    lines.on('line', (line) => {
      try {
        answered(JSON.parse(line) as Answer)
      } catch {
        // Whoever speaks like that is no broker.
        made.destroy()
      }
    })
    made.on('error', () => made.destroy())
    made.on('close', () => {
      if (socket === made) socket = undefined
      for (const { reject } of waiting.values()) reject(new Error(`the connection to ${host}:${port} is closed`))
      waiting.clear()
    })
    return made
  }
  const send = (request: object) => connection().write(`${JSON.stringify(request)}\n`)
  return {
    ask(request, signal) {
      if (signal?.aborted) return Promise.resolve({ deliveries: [] })
      last += 1
      const id = last
      // The answer decides, not the signal: it may hold messages that were on their way.
      const cancel = () => send({ id: 0, op: 'cancel', read: id })
      signal?.addEventListener('abort', cancel)
      return new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        send({ id, ...request })
      }).finally(() => signal?.removeEventListener('abort', cancel))
    },
    async close() {
      const closing = socket
      if (closing === undefined) return
      await new Promise<void>((resolve) => closing.once('close', () => resolve()).end())
    },
  }
}
