import pg from 'pg'
import type { Operator } from './operator.ts'

/** On the tables of the PostgreSQL transport, under its default names. */
export async function postgresOperator(url: string, topic: string, group: string): Promise<Operator> {
  const pool = new pg.Pool({ connectionString: url, max: 2, application_name: 'harness' })
  pool.on('error', () => undefined)
  const run = async (sql: string, values: readonly unknown[] = []) => (await pool.query(sql, [...values])).rowCount ?? 0
  const topicId = `(select id from evt_transport_topic where name = $1)`
  const kept = async () => {
    const sql = `select count(*)::int as kept from evt_transport_message where topic_id = ${topicId}`
    return (await pool.query<{ kept: number }>(sql, [topic])).rows[0]!.kept
  }
  const whole = `with gone as (delete from evt_transport_topic where name = $1 returning id),
    groups as (delete from evt_transport_group using gone where topic_id = gone.id returning evt_transport_group.id),
    parcels as (delete from evt_transport_parcel using groups where group_id = groups.id)
    delete from evt_transport_message using gone where topic_id = gone.id`
  const onlyGroup = `with gone as (delete from evt_transport_group where topic_id = ${topicId} and name = $2 returning id)
    delete from evt_transport_parcel using gone where group_id = gone.id`
  const written = ['message', 'parcel', 'group']
  return {
    losses: [
      {
        what: 'the rows of the group are deleted',
        takesMessages: false,
        strike: async () => void (await run(onlyGroup, [topic, group])),
      },
      {
        what: 'all rows of the topic are deleted',
        takesMessages: true,
        strike: async () => void (await run(whole, [topic])),
      },
    ],
    refusals: [
      {
        // A disk cannot be filled safely here; this is what every statement that writes would be told by one that is.
        what: 'no table can be written (53100, disk full)',
        async begin() {
          await run(`create or replace function fault_disk_full() returns trigger language plpgsql as
            $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`)
          for (const table of written)
            await run(`create trigger fault_disk_full before insert or update or delete on evt_transport_${table}
              for each statement execute function fault_disk_full()`)
        },
        async end() {
          await run('drop function if exists fault_disk_full cascade')
        },
      },
    ],
    tellsTheAbsent: true,
    kept,
    async cut() {
      const half = Math.floor((await kept()) / 2)
      return run(
        `delete from evt_transport_message where topic_id = ${topicId} and id in
         (select id from evt_transport_message where topic_id = ${topicId} order by id limit $2)`,
        [topic, half],
      )
    },
    close: () => pool.end(),
  }
}
