import { uuidv7 } from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { pgOutbox, pgOutboxStore } from '../src/index.ts'

let database: FreshDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const payloads: readonly (string | readonly number[])[] = [
  '',
  '{"n":1}',
  `{"text":"it's"}`,
  '{"text":"a \\"b\\""}',
  '\\',
  '\\x41',
  'x41',
  '\\\\x41',
  '\n\r\t\u0001\u007f',
  'naïve ünïcode 😀',
  [0],
  [0x80],
  [0xc3, 0x28],
  Array.from({ length: 256 }, (_value, byte) => byte),
]
const messages = payloads.map((payload) => ({
  ...{ transport: 'main', id: uuidv7(Date.now()), topic: 't', key: undefined, headers: {} },
  payload: Buffer.from(payload as string),
}))
const range = { transport: { only: 'main' }, after: undefined, skipKeys: [], limit: 1_000, maxBytes: 1e9 }
let tables = 0

test.each([
  ['one by one, beside COMMIT', 1],
  ['together', payloads.length],
  ['as arrays', payloads.length * 3],
])('payloads of any bytes come back as they were, written %s', async (_how, atOnce) => {
  const place = { pool: database.pool, table: `outbox_${++tables}` }
  const outbox = pgOutbox({ ...place, relay: false })
  await outbox.migrate()
  const written = [...messages, ...messages, ...messages]
  for (let first = 0; first < written.length; first += atOnce) {
    await outbox.store(written.slice(first, first + atOnce))
  }
  const store = pgOutboxStore(place)
  const rows = await store.read({ ...range, upTo: (await store.bound())! })
  expect(rows.map(({ message }) => Buffer.from(message!.payload).toString('hex'))).toEqual(
    written.map(({ payload }) => payload.toString('hex')),
  )
})
