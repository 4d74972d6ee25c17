import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server, and can make the connections there are silent without ending them. */
export interface HalfOpenProxy {
  readonly url: string
  /** The connections there are now pass nothing on from here on, as after a lost route. Later ones work. */
  swallow(): void
  close(): Promise<void>
}

export async function halfOpenProxy(target: string): Promise<HalfOpenProxy> {
  const { hostname, port } = new URL(target)
  let pairs: (readonly [Socket, Socket])[] = []
  const all = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    pairs.push([near, far])
    for (const [socket, other] of [[near, far] as const, [far, near] as const]) {
      all.add(socket)
      socket.on('data', (chunk) => other.write(chunk))
      socket.on('error', () => undefined)
      socket.on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow() {
      for (const pair of pairs) {
        for (const socket of pair) {
          socket.removeAllListeners('data')
          socket.on('data', () => undefined)
        }
      }
      pairs = []
    },
    close() {
      for (const socket of all) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
