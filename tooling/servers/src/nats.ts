/** NATS with JetStream: the current version, built by Go, and the oldest one that is supported, Debian's. */
import { existsSync } from 'node:fs'
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

export const natsKind: ServerKind = kind('nats', 'EVT_NATS_URL', currentProgram)
export const natsFloorKind: ServerKind = kind('nats-floor', 'EVT_NATS_FLOOR_URL', floorProgram)

function kind(
  name: string,
  variable: string,
  program: () => Promise<{ command: string; environment?: Readonly<Record<string, string>> }>,
): ServerKind {
  return {
    name,
    variable,
    async startHere() {
      const found = await program()
      const folder = await throwAwayFolder('nats')
      const port = await freePort()
      return startServerProcess({
        name: 'NATS',
        url: urlOf(port),
        ...found,
        args: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder],
        // SIGTERM is a fast end; SIGINT would be the same, SIGUSR2 a lame duck of minutes.
        removeFolder: folder,
        ready,
      })
    },
    container: (port) => ({ service: name, port: 4222, url: urlOf(port) }),
    ready,
  }
}

const urlOf = (port: number) => `nats://127.0.0.1:${port}`

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
