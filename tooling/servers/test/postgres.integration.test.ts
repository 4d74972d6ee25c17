import pg from 'pg'
import { postgres, postgres15 } from '../src/index.ts'

for (const server of [postgres, postgres15]) {
  server.describe(`a test's ${server.name}`, () => {
    it('gives a test a database of its own, which goes when it is dropped', async () => {
      const [one, other] = await Promise.all([server.fresh(), server.fresh()])
      await one.pool.query('create table notes (text text)')
      const { rows } = await other.pool.query("select to_regclass('notes') as notes")
      expect(rows).toEqual([{ notes: null }])
      await Promise.all([one.drop(), other.drop()])
      const late = new pg.Client({ connectionString: one.url })
      await expect(late.connect()).rejects.toThrow('does not exist')
    })

    it('starts a private server that keeps what it committed over a crash, and stops', async () => {
      const { url, kill, restart, stop } = await server.start({ settings: { work_mem: '5MB' } })
      const query = async (sql: string) => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        try {
          return (await client.query(sql)).rows
        } finally {
          await client.end()
        }
      }
      await query("create table notes as select 'kept' as text")
      await kill()
      await expect(query('select 1')).rejects.toThrow('ECONNREFUSED')
      await restart()
      expect(await query('select text from notes')).toEqual([{ text: 'kept' }])
      await restart({ kill: true })
      expect(await query('show work_mem')).toEqual([{ work_mem: '5MB' }])
      await stop()
      await expect(query('select 1')).rejects.toThrow('ECONNREFUSED')
    }, 60_000)
  })
}
