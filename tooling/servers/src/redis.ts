/** Redis: the one on the machine, or Debian's. */
import { debianProgram } from './debian.ts'
import { freePort } from './free-port.ts'
import { onPath } from './provision.ts'
import type { ServerKind } from './server-kind.ts'
import { startServerProcess } from './server-process.ts'
import { throwAwayFolder } from './throw-away-folder.ts'

export interface RedisOptions {
  /** Server settings, such as `{ appendonly: 'yes', appendfsync: 'always' }`; the server's own by default. */
  readonly settings?: Readonly<Record<string, string>>
}

export const redisKind: ServerKind<RedisOptions> = {
  name: 'redis',
  variable: 'EVT_REDIS_URL',
  async startHere({ settings }) {
    const installed = onPath('redis-server')
    const program = installed === undefined ? await debianProgram('redis-server') : { command: installed }
    const folder = await throwAwayFolder('redis')
    const port = await freePort()
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
    return startServerProcess({
      name: 'Redis',
      url: urlOf(port),
      ...program,
      args: [...place, ...settingArguments(settings)],
      removeFolder: folder,
      ready,
    })
  },
  container: (port, { settings }) => ({
    service: 'redis',
    port: 6379,
    command: ['redis-server', ...settingArguments(settings)],
    url: urlOf(port),
  }),
  ready,
}

const urlOf = (port: number) => `redis://127.0.0.1:${port}`

const settingArguments = (settings: Readonly<Record<string, string>> = {}) =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])

async function ready(url: string): Promise<boolean> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return (await client.ping()) === 'PONG'
  } finally {
    client.disconnect()
  }
}
