import { connect } from 'node:net'

const betweenMs = 20

export interface Patience {
  /** The server's last words, once there is nothing to wait for. */
  readonly ended?: () => string | undefined
  /** 90,000 by default. */
  readonly startLimitMs?: number | undefined
}

/** Waits until `ready` answers true at `url`. */
export async function untilReady(
  name: string,
  url: string,
  ready: (url: string) => Promise<boolean>,
  { ended, startLimitMs = 90_000 }: Patience = {},
): Promise<void> {
  const endMs = Date.now() + startLimitMs
  let last: unknown
  for (;;) {
    try {
      // A client that meets a closed port may back off for seconds.
      if ((await listens(url)) && (await ready(url))) return
    } catch (error) {
      last = error
    }
    const words = ended?.()
    if (words !== undefined) throw new Error(`${name} ended instead of starting: ${words}`)
    if (Date.now() > endMs) throw new Error(`${name} was not ready after ${startLimitMs} ms`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, betweenMs))
  }
}

function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
