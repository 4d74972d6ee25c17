import { type FileHandle, open } from 'node:fs/promises'
import { onEverything, type SubscriptionDefinition } from '@evt/core'

/** Every event as a line of a file, in batches of what came meanwhile. At least once: an id may appear twice. */
export interface AuditLog {
  readonly subscription: SubscriptionDefinition
  readonly lines: number
  close(): Promise<void>
}

export async function auditLog(file: string): Promise<AuditLog> {
  const handle: FileHandle = await open(file, 'a')
  let lines = 0
  let waiting: string[] = []
  let writing: Promise<void> | undefined
  const flush = async () => {
    while (waiting.length > 0) {
      const text = waiting.join('')
      waiting = []
      await handle.appendFile(text)
    }
  }
  const write = async (line: string) => {
    waiting.push(line)
    // Whoever comes while a write is under way shares the next one.
    await writing
    writing ??= flush().finally(() => {
      writing = undefined
    })
    await writing
  }
  const subscription = onEverything(
    async ({ id, type, key, time, correlationId }) => {
      await write(`${JSON.stringify({ time, id, type, order: key, correlationId })}\n`)
      lines += 1
    },
    { mode: 'broadcast', name: 'audit', instance: 'demo', concurrency: 256 },
  )
  return {
    subscription,
    get lines() {
      return lines
    },
    close: () => handle.close(),
  }
}
