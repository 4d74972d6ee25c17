import { type FreshPrefix, nats } from '@evt/servers'
import { connect, createInbox, type JsMsg, type NatsConnection } from 'nats'
import { timeOrderedId } from './ideal-id.ts'
import type { Ledger } from './ledger.ts'
import { type Order, order } from './order.ts'

/** A stream of its own on the run's server, with the configuration that ours has. */
export interface JetstreamPlace {
  readonly connection: NatsConnection
  readonly prefix: string
  readonly subject: string
  readonly stream: string
  drop(): Promise<void>
}

export async function jetstreamPlace(): Promise<JetstreamPlace> {
  const fresh: FreshPrefix = await nats.fresh()
  const connection = await connect({ servers: fresh.url })
  const subject = `${fresh.prefix}.evt.order.created`
  return {
    connection,
    prefix: fresh.prefix,
    subject,
    stream: subject.replaceAll('.', '_'),
    async drop() {
      await connection.close()
      await fresh.drop()
    },
  }
}

/** The stream as our transport makes it, for those who do without it. */
export async function createStream({ connection, stream, subject }: JetstreamPlace): Promise<void> {
  const manager = await connection.jetstreamManager()
  await manager.streams.add({ name: stream, subjects: [subject], duplicate_window: 120_000_000_000 })
}

/** The headers that a message of ours has, as lines: an id, CloudEvents' attributes, and the id for deduplication. */
export function headerLines(id: string, nowMs: number): readonly (readonly [string, string])[] {
  return [
    ['Nats-Msg-Id', id],
    ['ce-specversion', '1.0'],
    ['ce-id', id],
    ['ce-source', '/bench'],
    ['ce-type', 'order.created'],
    ['ce-time', new Date(nowMs).toISOString()],
    ['ce-dataschema', 'urn:evt:order.created:1'],
    ['content-type', 'application/json'],
  ]
}

/** Sends bytes with headers to the stream and resolves when it has them. */
type Send = (headers: Buffer, payload: Uint8Array) => Promise<void>

/** As fast as a hand-written loop can: bytes of its own for the headers, one inbox for all answers. */
function senderByHand({ connection, subject }: JetstreamPlace): Send {
  const inbox = createInbox()
  const waiting = new Map<string, { resolve(): void; reject(error: Error): void }>()
  const accepted = Buffer.from('{"stream":')
  connection.subscribe(`${inbox}.*`, {
    callback(error, message) {
      const name = message.subject.slice(inbox.length + 1)
      const sender = waiting.get(name)!
      waiting.delete(name)
      if (error === null && accepted.equals(message.data.subarray(0, accepted.length))) sender.resolve()
      else sender.reject(error ?? new Error(message.string()))
    },
  })
  let count = 0
  return (headers, payload) => {
    count += 1
    const name = String(count)
    // The client sends whatever `encode` gives.
    connection.publish(subject, payload, { reply: `${inbox}.${name}`, headers: { encode: () => headers } as never })
    return new Promise<void>((resolve, reject) => waiting.set(name, { resolve, reject }))
  }
}

export function publisherByHand(place: JetstreamPlace): (payload: Order) => Promise<string> {
  const send = senderByHand(place)
  let lastMs = 0
  let time = ''
  return async (payload) => {
    const nowMs = Date.now()
    if (nowMs !== lastMs) {
      lastMs = nowMs
      time = new Date(nowMs).toISOString()
    }
    const id = timeOrderedId(nowMs)
    const headers = Buffer.from(
      `NATS/1.0\r\nNats-Msg-Id: ${id}\r\nce-specversion: 1.0\r\nce-id: ${id}\r\nce-source: /bench\r\nce-type: order.created\r\nce-time: ${time}\r\nce-dataschema: urn:evt:order.created:1\r\ncontent-type: application/json\r\n\r\n`,
      'latin1',
    )
    await send(headers, Buffer.from(JSON.stringify(payload)))
    return id
  }
}

/** The same for messages that have their headers already. */
export function rawPublisherOf(
  place: JetstreamPlace,
): (id: string, headers: Readonly<Record<string, string>>, payload: Uint8Array) => Promise<void> {
  const send = senderByHand(place)
  return (id, headers, payload) => {
    let lines = `NATS/1.0\r\nNats-Msg-Id: ${id}\r\n`
    for (const name in headers) lines += `${name}: ${headers[name]}\r\n`
    return send(Buffer.from(`${lines}\r\n`, 'latin1'), payload)
  }
}

/** Tells the ledger of everything that is in the stream, and empties it. */
export async function collectStream({ connection, stream }: JetstreamPlace, ledger: Ledger | undefined): Promise<void> {
  const manager = await connection.jetstreamManager()
  const { state } = await manager.streams.info(stream)
  if (state.messages > 0) {
    const consumer = await connection.jetstream().consumers.get(stream)
    let left = state.messages
    const messages = await consumer.consume({ max_messages: 5_000 })
    for await (const message of messages as AsyncIterable<JsMsg>) {
      ledger?.handled(message.headers!.get('ce-id'), message.data)
      left -= 1
      if (left === 0) break
    }
    await messages.close()
  }
  await manager.streams.purge(stream)
}

export const orderText: string = JSON.stringify(order)
