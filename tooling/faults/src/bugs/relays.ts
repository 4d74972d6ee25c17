/** Outbox stores that a relay cannot work on rightly. */
import type { OutboxRow, Position } from '@evt/outbox'
import { runOutside } from '@evt/pg'
import type { Bug } from './bug.ts'
import { wrapped } from './wrapped.ts'

export const deletesBeforePublishing: Bug = {
  about: 'deletes rows before it publishes them',
  scenario: 'F3',
  rows: (right) =>
    wrapped(right, {
      async read(range) {
        const rows = await right.read(range)
        if (rows.length > 0) await right.delete(rows.map((row) => row.position))
        return rows
      },
    }),
}

export const runsWithACursor: Bug = {
  about: 'reads on from the last row instead of from the start',
  scenario: 'F31',
  rows(right) {
    let cursor: Position | undefined
    return wrapped(right, {
      async read(range) {
        const rows = await right.read({ ...range, after: later(cursor, range.after) })
        cursor = rows.at(-1)?.position ?? cursor
        return rows
      },
    })
  },
}

function later(left: Position | undefined, right: Position | undefined): Position | undefined {
  if (left === undefined || right === undefined) return left ?? right
  return BigInt(left) > BigInt(right) ? left : right
}

export const readsInOrderOfBeginning: Bug = {
  about: 'reads (xid, id) below the oldest running transaction',
  scenario: 'F31',
  quick: true,
  rows: (right, pool) =>
    wrapped(right, {
      async read(range) {
        // One page a burst: what was published is gone from the table before the next.
        if (range.after !== undefined) return []
        const { rows } = await pool.query<{ id: string; xid: string; settled: boolean }>(
          `select id::text, xmin::text as xid, xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint as settled
           from evt_outbox where refused is null`,
        )
        const xids = new Map(rows.flatMap(({ id, xid, settled }) => (settled ? [[id, BigInt(xid)] as const] : [])))
        const readable = (await right.read(range)).filter((row) => xids.has(row.position))
        return readable.sort((left, other) => compare(xids, left, other))
      },
    }),
}

function compare(xids: ReadonlyMap<Position, bigint>, left: OutboxRow, right: OutboxRow): number {
  const difference = xids.get(left.position)! - xids.get(right.position)!
  return Number(difference === 0n ? BigInt(left.position) - BigInt(right.position) : difference)
}

export const leadsWithoutFence: Bug = {
  about: 'believes to lead whoever else does',
  scenario: 'F23',
  quick: true,
  rows: (right) =>
    wrapped(right, {
      lead: async (owner, leaseMs) =>
        (await right.lead(owner, leaseMs)) ?? { owner, token: '0', bound: await right.bound() },
    }),
}

export const publishesUncommitted: Bug = {
  about: 'stores messages outside the transaction that publishes them',
  scenario: 'F4',
  outbox: (right) => wrapped(right, { append: (_transaction, messages) => runOutside(() => right.store(messages)) }),
}
