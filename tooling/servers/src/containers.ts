import { composeServices } from './compose.ts'
import { freePort } from './free-port.ts'
import type { RunningServer, ServerKind } from './server-kind.ts'
import { untilReady } from './until-ready.ts'

export interface Container {
  /** Gracefully down, its files kept. */
  down(): Promise<void>
  kill(): Promise<void>
  up(): Promise<void>
  /** Stopped and gone. */
  remove(): Promise<void>
}

export interface ContainerSettings {
  readonly image: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly containerPort: number
  readonly hostPort: number
}

/** What is asked of a container engine. */
export interface ContainerEngine {
  answers(): Promise<boolean>
  run(settings: ContainerSettings): Promise<Container>
}

/** A server in a container, with the image, environment and command that docker-compose.yml gives its service. */
export async function startContainer<Options>(
  kind: ServerKind<Options>,
  options: Options,
  engine: ContainerEngine,
  startLimitMs?: number,
): Promise<RunningServer> {
  const hostPort = await freePort()
  const recipe = kind.container(hostPort, options)
  const service = (await composeServices())[recipe.service]
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${recipe.service}`)
  const environment = Object.entries({ ...service.environment, ...recipe.environment })
  const container = await engine.run({
    image: service.image,
    command: recipe.command ?? service.command ?? [],
    environment: Object.fromEntries(environment.map(([name, value]) => [name, String(value)])),
    containerPort: recipe.port,
    hostPort,
  })
  let running = true
  const ready = () => untilReady(`${kind.name} in a container`, recipe.url, kind.ready, { startLimitMs })
  const down = async (how: 'down' | 'kill') => {
    if (running) await container[how]()
    running = false
  }
  try {
    await ready()
  } catch (error) {
    await container.remove()
    throw error
  }
  return {
    url: recipe.url,
    stop: () => container.remove(),
    kill: () => down('kill'),
    async restart({ kill = false } = {}) {
      await down(kill ? 'kill' : 'down')
      await container.up()
      running = true
      await ready()
    },
  }
}
