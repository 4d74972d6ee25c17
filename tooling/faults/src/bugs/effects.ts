/** Inboxes and dead-letter stores that keep their promise only while nothing happens. */
import { runOutside } from '@evt/pg'
import type { Bug } from './bug.ts'
import { wrapped } from './wrapped.ts'

export const looksBeforeItEnters: Bug = {
  about: 'asks whether a message was handled and enters it afterwards',
  scenario: 'F17',
  quick: true,
  inbox: (right) => {
    const table = 'fault_naive_inbox'
    return wrapped(right, {
      async enter(transaction, consumer, keys) {
        const known = await transaction.query<{ key: string }>(
          `select key from ${table} where consumer = $1 and key = any ($2)`,
          [consumer, keys],
        )
        const done = new Set(known.rows.map((row) => row.key))
        for (const key of keys)
          if (!done.has(key)) await transaction.query(`insert into ${table} values ($1, $2)`, [consumer, key])
        return keys.map((key) => (done.has(key) ? 'done' : 'fresh'))
      },
    })
  },
}

export const entersForGood: Bug = {
  about: 'enters the inbox in a transaction of its own, which outlives a failed handler',
  scenario: 'F16',
  inbox: (right, pool) =>
    wrapped(right, {
      enter: (_transaction, consumer, keys) =>
        runOutside(async () => {
          const answers: ('fresh' | 'done')[] = []
          for (const key of keys) {
            const sql = 'insert into fault_entered values ($1, $2) on conflict do nothing'
            const { rowCount } = await pool.query(sql, [consumer, key])
            answers.push(rowCount === 1 ? 'fresh' : 'done')
          }
          return answers
        }),
    }),
}

export const forgetsItsInbox: Bug = {
  about: 'has no inbox',
  scenario: 'F16',
  inbox: (right) => wrapped(right, { enter: async (_transaction, _consumer, keys) => keys.map(() => 'fresh') }),
}

export const keepsLettersLater: Bug = {
  about: 'acknowledges first and keeps the dead letter afterwards',
  scenario: 'F19',
  deadLetters: (right) =>
    wrapped(right, {
      append: async (entries) => {
        setTimeout(() => void right.append(entries).catch(() => undefined), 2_000)
      },
    }),
}
