import type { PgConnection, PgPoolLike } from '@evt/pg'
import type pg from 'pg'

/**
 * What a transaction pooler does to its clients: every statement outside a transaction may run on another connection, and
 * nothing of a session stays. Refuses what is illegal behind one.
 */
export function transactionPooler(pool: pg.Pool): PgPoolLike & { readonly refused: string[] } {
  const refused: string[] = []
  return {
    refused,
    async connect(): Promise<PgConnection> {
      let pinned: pg.PoolClient | undefined
      return {
        release: () => pinned?.release(true),
        async query(sql, values) {
          if (
            typeof sql !== 'string' ||
            /^\s*(listen|unlisten|prepare|set\s+(?!local)|discard)|pg_advisory_lock/i.test(sql)
          )
            refused.push(String(sql))
          const client = pinned ?? (await pool.connect())
          try {
            if (/^begin/i.test(sql)) pinned = client
            const answer = await client.query(sql, values)
            if (/^(commit|rollback)/i.test(sql)) pinned = undefined
            return answer
          } finally {
            if (pinned === undefined) {
              await client.query('discard all')
              client.release()
            }
          }
        },
      }
    },
  }
}
