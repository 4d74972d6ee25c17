import { kafka, nats, postgres, redis } from '@evt/servers'
import pg from 'pg'
import { listenerOf } from './processor-time.ts'

const kinds = { postgres, redis, nats, kafka }
const variables = { postgres: 'EVT_PG_URL', redis: 'EVT_REDIS_URL', nats: 'EVT_NATS_URL', kafka: 'EVT_KAFKA_URL' }
export type Server = keyof typeof kinds

export interface RunServer {
  readonly kind: Server
  /** Undefined where it runs elsewhere. */
  readonly pid: number | undefined
  readonly version: string
  /** What differs from its defaults, and what its speed hangs on. */
  readonly settings: Readonly<Record<string, string>>
}

/** The servers of this run: those the environment names, or started here when a workload first needs them. */
export class Servers {
  readonly #running = new Map<Server, RunServer>()
  readonly #stops: (() => Promise<void>)[] = []

  get all(): readonly RunServer[] {
    return [...this.#running.values()]
  }
  async need(needed: readonly Server[]): Promise<void> {
    for (const kind of needed) {
      if (this.#running.has(kind)) continue
      const variable = variables[kind]
      if ((process.env[variable] ?? '') === '') {
        const server = await kinds[kind].start()
        this.#stops.push(() => server.stop())
        // Where workloads look for it when they ask for a fresh place.
        process.env[variable] = server.url
      }
      const url = process.env[variable]!
      const pid = listenerOf(Number(new URL(url.split(',')[0]!).port))
      this.#running.set(kind, { kind, pid, ...(kind === 'postgres' ? await askPostgres(url) : unasked) })
    }
  }
  /** The processes whose work is counted as the servers'. */
  pids(needed: readonly Server[]): readonly number[] {
    return needed.flatMap((kind) => this.#running.get(kind)?.pid ?? [])
  }
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop()
  }
}

const unasked = { version: 'not asked', settings: {} }

async function askPostgres(connectionString: string): Promise<Pick<RunServer, 'version' | 'settings'>> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select name, current_setting(name) as value from pg_settings
       where source not in ('default', 'override', 'client', 'session')
         and name !~* '(director|file|port|path|timezone|addresses|listen|^lc_|style|search_config)'
         or name in ('fsync', 'synchronous_commit', 'shared_buffers', 'wal_level', 'full_page_writes', 'server_version')
       order by name`,
    )
    const settings = Object.fromEntries(
      (rows as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
    )
    return { version: settings.server_version!, settings }
  } finally {
    await client.end()
  }
}
