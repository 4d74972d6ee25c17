import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { RunningServer } from './server-kind.ts'
import { untilReady } from './until-ready.ts'

const owner = fileURLToPath(new URL('../owner.mjs', import.meta.url))
const outputLimit = 4_000

export interface ServerProcess {
  readonly name: string
  readonly url: string
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly identity?: { readonly uid?: number; readonly gid?: number }
  /** What ends it gracefully; SIGTERM by default. */
  readonly stopSignal?: NodeJS.Signals
  /** Goes when the server stops for good. */
  readonly removeFolder?: string | undefined
  ready(url: string): Promise<boolean>
}

/** Starts a server on this machine and waits until it is ready. It also ends when this process dies. */
export async function startServerProcess(server: ServerProcess): Promise<RunningServer> {
  const { name, url, command, args, environment, identity, stopSignal = 'SIGTERM', removeFolder } = server
  const settings = JSON.stringify({ command, args, environment, identity, stopSignal, removeFolder })
  const child = spawn(process.execPath, [owner, settings], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
  let output = ''
  const keep = (chunk: unknown) => {
    output = `${output}${chunk}`.slice(-outputLimit)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  let running = true
  let over = false
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  // Later than its exit: by then all that it said is here.
  child.once('close', () => {
    over = true
  })
  child.on('message', () => {
    running = false
  })
  const ready = () => untilReady(name, url, server.ready, { ended: () => (over ? output : undefined) })
  const down = async (signal: NodeJS.Signals) => {
    if (!running || !child.connected) return
    const ended = new Promise<void>((resolve) => child.once('message', () => resolve()))
    child.send({ signal })
    await whileAwake(child, Promise.race([ended, exit]))
  }
  const stop = async () => {
    if (child.connected) child.disconnect()
    await whileAwake(child, exit)
  }
  try {
    await ready()
  } catch (error) {
    await stop()
    throw error
  }
  asleep(child)
  return {
    url,
    stop,
    kill: () => down('SIGKILL'),
    async restart(options = {}) {
      await down(options.kill === true ? 'SIGKILL' : stopSignal)
      if (!child.connected) throw new Error(`${name} has ended: ${output}`)
      running = true
      child.send({ start: true })
      await ready()
    },
  }
}

/** Neither the server nor its pipes keep this process alive. */
function asleep(child: ChildProcess): void {
  child.unref()
  child.channel?.unref()
  for (const pipe of [child.stdout, child.stderr]) (pipe as Socket | null)?.unref()
}

/** Whoever stops a server waits until it is gone. */
async function whileAwake(child: ChildProcess, end: Promise<void>): Promise<void> {
  child.ref()
  child.channel?.ref()
  await end
  asleep(child)
}
