import type { PgPoolLike } from '@evt/pg'
import { pgIdempotencyStore, pgInbox } from '../src/index.ts'

// S2: what an option names goes into SQL, so it is looked at before anything is sent.

const pool: PgPoolLike = { connect: () => Promise.reject(new Error('nobody may ask the server')) }
const hostile = [
  'x"; drop table y; --',
  "x' or '1'='1",
  "x'); select pg_sleep(10) --",
  'a.b',
  'x y',
  'x\0',
  'x\n',
  '$1',
  '',
  'x'.repeat(64),
]

test.each(hostile)('%j is refused as the name of a schema or a table, by the name of the option', (name) => {
  for (const option of ['schema', 'table'])
    for (const make of [pgIdempotencyStore, pgInbox])
      expect(() => make({ pool, [option]: name })).toThrow(
        expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
      )
})

test('an option that nobody reads is refused by name', () => {
  for (const make of [pgIdempotencyStore, pgInbox])
    expect(() => make({ pool, tabel: 'x' } as never)).toThrow(
      expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining({ option: 'tabel' }) }),
    )
})

test.each([
  ['a misspelt age', { olderThan: 5 }, { ended: 5 }],
  ['a limit of nothing', { olderThanMs: 5, limit: 0 }, { limit: 0 }],
  ['an age that is text', { olderThanMs: '5' }, { endedMs: '5' }],
])('purging with %s is refused before anything is sent', async (_what, ofInbox, ofStore) => {
  const refused = { code: expect.stringMatching(/^EVT_OPTION_/) }
  await expect(pgInbox({ pool }).purge(ofInbox as never)).rejects.toMatchObject(refused)
  await expect(pgIdempotencyStore({ pool }).purge(ofStore as never)).rejects.toMatchObject(refused)
})

test('purging an inbox needs an age: nothing is forgotten by default', async () => {
  await expect(pgInbox({ pool }).purge({} as never)).rejects.toMatchObject({ details: { option: 'olderThanMs' } })
})
