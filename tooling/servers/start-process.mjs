import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const owner = fileURLToPath(new URL('owner.mjs', import.meta.url))
const startLimitMs = 60_000
const outputLimit = 4_000

/**
 * Starts a server and waits until `ready` answers true. It is stopped by `stop()`, and also when this process dies.
 * `removeFolder` goes with it.
 */
export async function startProcess({ name, command, args, identity, stopSignal = 'SIGTERM', removeFolder, ready }) {
  const settings = JSON.stringify({ command, args, identity, stopSignal, removeFolder })
  const child = spawn(process.execPath, [owner, settings], { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  let output = ''
  const keep = (chunk) => {
    output = (output + chunk).slice(-outputLimit)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  let ended = false
  const exit = new Promise((resolve) =>
    child.once('close', () => {
      ended = true
      resolve()
    }),
  )
  const stop = async () => {
    // Whoever stops a server waits until it is gone.
    child.ref()
    child.stdin.end()
    await exit
  }
  const endMs = Date.now() + startLimitMs
  while (!(await ready().catch(() => false))) {
    if (ended) throw new Error(`${name} did not start: ${output}`)
    if (Date.now() > endMs) {
      await stop()
      throw new Error(`${name} was not ready after ${startLimitMs} ms: ${output}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  // Neither the server nor its pipes keep this process alive.
  child.unref()
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.unref()
  return { stop }
}
