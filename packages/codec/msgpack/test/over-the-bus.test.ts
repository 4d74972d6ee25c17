import {
  createBus,
  defineEvent,
  memoryTransport,
  type Outbox,
  type RelayTarget,
  reject,
  type StoredMessage,
  silentLogger,
  type,
} from '@evt/core'
import { msgpackCodec } from '../src/index.ts'

interface Photo {
  readonly id: bigint
  readonly taken: Date
  readonly thumbnail: Uint8Array
  readonly caption?: string | undefined
}
const codec = msgpackCodec()
const PhotoTaken = defineEvent('photo.taken', { schema: type<Photo>(), codec, key: (photo) => String(photo.id) })
const photo: Photo = { id: 2n ** 63n, taken: new Date(0), thumbnail: new Uint8Array([1, 2]), caption: undefined }

/** Rows in this process, published when the test says so. */
function arrayOutbox(): Outbox<never> & { readonly rows: StoredMessage[]; relay(): Promise<void> } {
  const rows: StoredMessage[] = []
  let target: RelayTarget | undefined
  return {
    name: 'array',
    rows,
    ambient: () => undefined,
    append: async (_transaction, messages) => void rows.push(...messages),
    store: async (messages) => void rows.push(...messages),
    start: async (given) => {
      target = given
    },
    stop: async () => {},
    health: async () => ({ name: 'array', status: 'healthy' }),
    async relay() {
      for (const { transport, ...outgoing } of rows.splice(0)) await target!.publish(transport, [outgoing])
    },
  }
}

test('a payload that JSON cannot carry reaches its handler, through the outbox and the transport, as it was published', async () => {
  const outbox = arrayOutbox()
  await using bus = createBus({
    service: 'photos',
    transport: memoryTransport(),
    outbox,
    outsideTransaction: 'store',
    logger: silentLogger,
  })
  const arrival = new Promise<Photo>((resolve) => {
    void bus.subscribe(PhotoTaken, (arrived) => resolve(arrived), { group: 'index' })
  })
  await bus.start()
  expect((await bus.publish(PhotoTaken, photo)).via).toBe('outbox')
  expect(outbox.rows).toHaveLength(1)
  expect(outbox.rows[0]!.headers['content-type']).toBe('application/vnd.msgpack')
  expect(codec.decode(outbox.rows[0]!.payload)).toEqual(photo)
  await outbox.relay()
  expect(await arrival).toEqual(photo)
})

test('a dead letter keeps the bytes that were published, and so does one that cannot be read', async () => {
  const transport = memoryTransport()
  await using bus = createBus({ service: 'photos', transport, logger: silentLogger })
  const subscription = await bus.subscribe(PhotoTaken, () => reject('too dark'), { group: 'index' })
  await bus.publish(PhotoTaken, photo)
  const damaged = codec.encode(photo).subarray(0, 20)
  const headers = { ...(await deadLetter(transport)).headers, 'ce-id': 'damaged' }
  await transport.publish([{ id: 'damaged', topic: 'evt.photo.taken', key: undefined, headers, payload: damaged }])
  const letter = await deadLetter(transport, 'damaged')
  expect(Buffer.from(letter.payload).equals(damaged)).toBe(true)
  expect(letter.reason).toContain('not MessagePack')
  expect(codec.decode((await deadLetter(transport)).payload)).toEqual(photo)
  expect(subscription.stats().deadLettered).toBe(2)
})

test('bytes that one handler writes into do not reach another', async () => {
  await using bus = createBus({ service: 'photos', transport: memoryTransport(), logger: silentLogger })
  const seen: number[] = []
  const read = ({ thumbnail }: Photo) => {
    seen.push(thumbnail[0]!)
    thumbnail.fill(0)
  }
  await bus.subscribe(PhotoTaken, read, { group: 'one' })
  await bus.subscribe(PhotoTaken, (arrived) => read(arrived), { group: 'two' })
  await bus.publish(PhotoTaken, photo)
  while (seen.length < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual([1, 1])
})

test('what the codec cannot write is refused before anything is sent', async () => {
  await using bus = createBus({ service: 'photos', transport: memoryTransport(), logger: silentLogger })
  const publishing = bus.publish(PhotoTaken, { ...photo, taken: new Date(Number.NaN) })
  await expect(publishing).rejects.toMatchObject({ code: 'EVT_CODEC_ENCODE', details: { event: 'photo.taken' } })
})

async function deadLetter(transport: ReturnType<typeof memoryTransport>, id?: string) {
  const matching = () => transport.deadLetters().find(({ headers }) => id === undefined || headers['ce-id'] === id)
  while (matching() === undefined) await new Promise((resolve) => setImmediate(resolve))
  return matching()!
}
