import { type PgListenPool, type PgPoolLike, pgTransactions, pgWake } from '../src/index.ts'

const asked = () => Promise.reject(new Error('nobody may ask the server'))
const pool: PgPoolLike & PgListenPool = { connect: asked }

test.each([
  ['an option that nobody reads', { pool, idleMs: 5 }, 'EVT_OPTION_UNKNOWN', 'idleMs'],
  ['no pool', {}, 'EVT_OPTION_INVALID', 'pool.connect'],
  [
    'a time that is text',
    { pool, idleInTransactionMs: '1; drop table x' },
    'EVT_OPTION_INVALID',
    'idleInTransactionMs',
  ],
  ['a time below nothing', { pool, idleInTransactionMs: -1 }, 'EVT_OPTION_INVALID', 'idleInTransactionMs'],
])('transactions with %s are refused by name', (_what, options, code, option) => {
  expect(() => pgTransactions(options as never)).toThrow(
    expect.objectContaining({ code, details: expect.objectContaining({ option }) }),
  )
})

// S2: it goes into LISTEN.
test.each(['x"; drop table y; --', 'a.b', 'x y', 'x\0', '', 'x'.repeat(64)])(
  '%j is refused as the name of a channel',
  (channel) => {
    expect(() => pgWake({ pool, channel })).toThrow(
      expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option: 'channel' }) }),
    )
  },
)
