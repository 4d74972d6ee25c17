import { setTimeout as delay } from 'node:timers/promises'
import type { PrivateServer } from '../servers.ts'

/** Down for a while and up again: gracefully and at once, or by SIGKILL and then down for `downMs`. */
export async function restartServer(server: PrivateServer, options: { kill: boolean; downMs: number }): Promise<void> {
  if (options.kill) {
    await server.kill()
    await delay(options.downMs)
  }
  await server.restart()
}
