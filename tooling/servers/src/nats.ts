/** NATS with JetStream: the current version, built by Go, and the oldest one that is supported, Debian's. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianProgram } from './debian.ts'
import { freePort } from './free-port.ts'
import { onPath, output, provisioned } from './provision.ts'
import type { ServerKind } from './server-kind.ts'
import { startServerProcess } from './server-process.ts'
import { throwAwayFolder } from './throw-away-folder.ts'

const current = '2.15.2'
const currentMinor = /v2\.15\./
const floorMinor = /v2\.9\./

export interface NatsOptions {
  /** Lines of a configuration file, such as users and their permissions. One that needs no credentials must be among them. */
  readonly config?: string
}

export const natsKind: ServerKind<NatsOptions> = kind('nats', 'EVT_NATS_URL', currentProgram)
export const natsFloorKind: ServerKind<NatsOptions> = kind('nats-floor', 'EVT_NATS_FLOOR_URL', floorProgram)

function kind(
  name: string,
  variable: string,
  program: () => Promise<{ command: string; environment?: Readonly<Record<string, string>> }>,
): ServerKind<NatsOptions> {
  return {
    name,
    variable,
    async startHere({ config = '' }) {
      const found = await program()
      const folder = await throwAwayFolder('nats')
      const port = await freePort()
      const file = join(folder, 'nats.conf')
      await writeFile(file, config)
      return startServerProcess({
        name: 'NATS',
        url: urlOf(port),
        ...found,
        args: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder, '-c', file],
        // SIGTERM is a fast end; SIGINT would be the same, SIGUSR2 a lame duck of minutes.
        removeFolder: folder,
        ready,
      })
    },
    container: (port, { config }) => ({
      service: name,
      port: 4222,
      url: urlOf(port),
      ...(config === undefined ? {} : inContainer(config)),
    }),
    ready,
  }
}

const urlOf = (port: number) => `nats://127.0.0.1:${port}`

const inContainer = (config: string) => ({
  environment: { EVT_NATS_CONFIG: config },
  command: ['sh', '-c', 'echo "$EVT_NATS_CONFIG" > /nats.conf && exec nats-server -js -sd /data -c /nats.conf'],
})

async function currentProgram() {
  const installed = await installedAs(currentMinor)
  if (installed !== undefined) return { command: installed }
  if (onPath('go') === undefined)
    throw new Error(`NATS ${current} is not on this machine, and there is no Go to build it`)
  const folder = await provisioned(
    `nats-server-${current}`,
    `NATS ${current}, built by Go in a minute or two`,
    (making) => output('go', ['install', `github.com/nats-io/nats-server/v2@v${current}`], { env: { GOBIN: making } }),
  )
  return { command: join(folder, 'nats-server') }
}

async function floorProgram() {
  const installed = await installedAs(floorMinor)
  return installed === undefined ? debianProgram('nats-server') : { command: installed }
}

async function installedAs(version: RegExp): Promise<string | undefined> {
  const found = onPath('nats-server')
  if (found === undefined || !existsSync(found)) return undefined
  return version.test(await output(found, ['-v'])) ? found : undefined
}

async function ready(servers: string): Promise<boolean> {
  const { connect } = await import('nats')
  const connection = await connect({ servers, reconnect: false })
  try {
    await (await connection.jetstreamManager()).getAccountInfo()
    return true
  } finally {
    await connection.close()
  }
}
