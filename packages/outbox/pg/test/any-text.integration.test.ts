import { createBus, defineEvent, isEvtError, memoryTransport, silentLogger, type } from '@evt/core'
import { type FreshDatabase, freshDatabase } from '@evt/servers'
import { type PgOutbox, pgOutbox } from '../src/index.ts'

// S21: text that PostgreSQL cannot store must not end the transaction of whoever publishes it.

const Noted = defineEvent('note.made', { schema: type<{ text: string }>() })
const awkward = [
  '\0',
  '\ud800',
  '\udc00',
  '\ud83d\ude00',
  '\\',
  "'",
  '"',
  '{}',
  '\u0085',
  '\r\n',
  '\ufeff',
  '%',
  '$1',
  'NULL',
]

let database: FreshDatabase
let outbox: PgOutbox
beforeEach(async () => {
  database = await freshDatabase()
  outbox = pgOutbox({ pool: database.pool, relay: false })
  await outbox.migrate()
  await database.pool.query('create table business (n integer not null)')
})
afterEach(() => database.drop())

test('whatever text is published as payload, key, id, subject or metadata, it is stored or refused by its code, and the transaction commits', async () => {
  const bus = createBus({ service: 'notes', transport: memoryTransport(), outbox, logger: silentLogger })
  let seed = 21
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  const text = () =>
    Array.from({ length: 1 + Math.floor(random() * 6) }, () =>
      random() < 0.5 ? awkward[Math.floor(random() * awkward.length)]! : String.fromCharCode(random() * 65_536),
    ).join('')
  let stored = 0
  let refused = 0
  const rounds = 200
  for (let round = 0; round < rounds; round += 1) {
    const payload = { text: text() }
    const one = ['id', 'key', 'subject', 'correlationId', 'metadata', 'none'][round % 6]!
    const options = one === 'none' ? {} : { [one]: one === 'metadata' ? { note: text() } : text() }
    await outbox.run(async (transaction) => {
      await transaction.query('insert into business values ($1)', [round])
      try {
        await bus.publish(Noted, payload, options)
        stored += 1
      } catch (error) {
        expect(isEvtError(error)).toBe(true)
        refused += 1
      }
    })
  }
  const { rows } = await database.pool.query('select count(*)::int as count from business')
  expect(rows[0].count).toBe(rounds)
  expect(await outbox.count()).toEqual({ waiting: stored, parked: 0 })
  expect(stored).toBeGreaterThan(rounds / 6)
  expect(refused).toBeGreaterThan(0)
  await bus.close()
})
