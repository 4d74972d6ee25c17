import { freshDatabase } from '@evt/servers'
import { makeWorkerUtils, Logger as QuietLogger, run as runGraphile } from 'graphile-worker'
import PgBoss from 'pg-boss'
import { order } from './order.ts'
import type { Contender, Running } from './workload.ts'

const batch = 1_000
const bodyOf = (id: string) => JSON.stringify({ ...order, id })

/** Works off a backlog with 24 jobs at a time. */
export function graphileJobs(): Contender {
  return {
    name: 'graphile-worker',
    async start(): Promise<Running> {
      const { pool, url, drop } = await freshDatabase(8)
      const logger = new QuietLogger(() => () => undefined)
      const utils = await makeWorkerUtils({ connectionString: url, logger })
      await utils.migrate()
      await utils.release()
      return {
        async prepare(messages, ledger) {
          const ids = Array.from({ length: messages }, (_value, index) => `m-${index}`)
          for (const id of ids) ledger?.sent(id)
          await pool.query(
            `select graphile_worker.add_job('order', json_build_object('id', id, 'body', $2::text)) from unnest($1::text[]) as id`,
            [ids, bodyOf('template')],
          )
        },
        async run(messages, ledger) {
          let left = messages
          let finished = () => {}
          const all = new Promise<void>((resolve) => {
            finished = resolve
          })
          const task = async (payload: unknown) => {
            ledger?.handled((payload as { id: string }).id)
            left -= 1
            if (left === 0) finished()
          }
          const settings = { connectionString: url, concurrency: 24, logger, noHandleSignals: true }
          const runner = await runGraphile({ ...settings, taskList: { order: task } })
          await all
          await runner.stop()
        },
        stop: drop,
      }
    },
  }
}

/** Works off a backlog, a thousand jobs a fetch. */
export function pgBossJobs(): Contender {
  return {
    name: 'pg-boss',
    async start(): Promise<Running> {
      const { url, drop } = await freshDatabase(2)
      const boss = new PgBoss({ connectionString: url, max: 6, supervise: false, schedule: false })
      await boss.start()
      await boss.createQueue('order')
      return {
        async prepare(messages, ledger) {
          for (let first = 0; first < messages; first += 1_000) {
            const jobs = Array.from({ length: 1_000 }, (_value, index) => ({
              name: 'order',
              data: { ...order, id: `m-${first + index}` },
            }))
            for (const { data } of jobs) ledger?.sent(data.id)
            await boss.insert(jobs)
          }
        },
        async run(messages, ledger) {
          for (let left = messages; left > 0; ) {
            const jobs = await boss.fetch<typeof order>('order', { batchSize: batch })
            for (const { data } of jobs) ledger?.handled(data.id)
            await boss.complete(
              'order',
              jobs.map(({ id }) => id),
            )
            left -= jobs.length
          }
        },
        async stop() {
          await boss.stop({ graceful: false })
          await drop()
        },
      }
    },
  }
}
