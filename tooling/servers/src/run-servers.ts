import { kinds } from './kinds.ts'
import type { RunningServer } from './server-kind.ts'
import { obtainServer } from './start-server.ts'

/** The servers of one test run. */
export interface RunServers {
  /** What the tests' processes must find in their environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Why a kind could not be had. */
  readonly leftOut: ReadonlyMap<string, string>
  /** Kinds that could not be had although they are required. */
  readonly missing: readonly string[]
  stop(): Promise<void>
}

/** Starts the needed kinds side by side. One that cannot be had keeps no other from starting. */
export async function startRunServers(
  needed: ReadonlySet<keyof typeof kinds>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RunServers> {
  const required = requiredServers(environment)
  const running: Pick<RunningServer, 'stop'>[] = []
  const addresses: Record<string, string> = {}
  const leftOut = new Map<string, string>()
  const start = async (key: keyof typeof kinds) => {
    const kind = kinds[key]
    try {
      const server = await obtainServer(kind, {}, environment)
      running.push(server)
      addresses[kind.variable] = server.url
    } catch (error) {
      leftOut.set(kind.name, error instanceof Error ? error.message : String(error))
    }
  }
  await Promise.all([...needed].map(start))
  return {
    environment: { ...addresses, EVT_SERVERS_LEFT_OUT: JSON.stringify(Object.fromEntries(leftOut)) },
    leftOut,
    missing: required.filter((name) => leftOut.has(name)),
    async stop() {
      await Promise.all(running.map((server) => server.stop()))
    },
  }
}

function requiredServers({ EVT_REQUIRE_SERVERS: wish = '' }: NodeJS.ProcessEnv): string[] {
  const names = wish.split(',').map((name) => name.trim())
  const known = new Set(Object.values(kinds).map(({ name }) => name))
  const required = names.filter((name) => name !== '')
  const unknown = required.filter((name) => !known.has(name))
  if (unknown.length > 0) throw new Error(`EVT_REQUIRE_SERVERS names ${unknown}; there are ${[...known]}`)
  return required
}
