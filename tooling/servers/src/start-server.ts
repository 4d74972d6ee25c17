import { type ContainerEngine, startContainer } from './containers.ts'
import { docker } from './docker.ts'
import type { RunningServer, ServerKind } from './server-kind.ts'

/** Starts a server of one's own: in a container where an engine answers or is demanded, else on this machine. */
export async function startServer<Options>(
  kind: ServerKind<Options>,
  options: Options,
  environment: NodeJS.ProcessEnv = process.env,
  engine: ContainerEngine = docker,
  startLimitMs?: number,
): Promise<RunningServer> {
  const forced = containersOnly(environment)
  if (await engine.answers()) return startContainer(kind, options, engine, startLimitMs)
  if (forced) throw new Error('EVT_SERVERS=docker, but no container engine answers')
  return kind.startHere(options)
}

/** The run's server of a kind: the one whose address the environment names, or else one of its own. */
export async function obtainServer<Options>(
  kind: ServerKind<Options>,
  options: Options,
  environment: NodeJS.ProcessEnv = process.env,
  engine: ContainerEngine = docker,
): Promise<Pick<RunningServer, 'url' | 'stop'>> {
  const url = environment[kind.variable]
  if (url !== undefined && url !== '' && !containersOnly(environment)) return { url, stop: async () => undefined }
  return startServer(kind, options, environment, engine)
}

function containersOnly({ EVT_SERVERS: wish }: NodeJS.ProcessEnv): boolean {
  if (wish !== undefined && wish !== '' && wish !== 'docker') {
    throw new Error(`EVT_SERVERS may only be "docker", not ${JSON.stringify(wish)}`)
  }
  return wish === 'docker'
}
