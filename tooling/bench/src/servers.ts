import { kafka, nats, postgres, redis } from '@evt/servers'
import { listenerOf } from './processor-time.ts'
import { askServer, type ServerFacts } from './server-facts.ts'

const kinds = { postgres, redis, nats, kafka }
const variables = { postgres: 'EVT_PG_URL', redis: 'EVT_REDIS_URL', nats: 'EVT_NATS_URL', kafka: 'EVT_KAFKA_URL' }
export type Server = keyof typeof kinds

export interface RunServer extends ServerFacts {
  readonly kind: Server
  /** Undefined where it runs elsewhere. */
  readonly pid: number | undefined
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
      this.#running.set(kind, { kind, pid, ...(await askServer[kind](url)) })
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
