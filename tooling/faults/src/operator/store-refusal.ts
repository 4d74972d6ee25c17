import pg from 'pg'
import type { Refusal } from './operator.ts'

/** The whole database server becomes read-only, as behind a failover or a guard against a full disk. */
export function storeRefusal(url: string): Refusal {
  const change = async (sql: string) => {
    const client = new pg.Client({ connectionString: url, application_name: 'harness' })
    await client.connect()
    try {
      await client.query('set default_transaction_read_only = off')
      await client.query(sql)
      await client.query('select pg_reload_conf()')
    } finally {
      await client.end()
    }
  }
  return {
    what: 'the database is read-only (25006)',
    begin: () => change('alter system set default_transaction_read_only = on'),
    end: () => change('alter system reset default_transaction_read_only'),
  }
}
