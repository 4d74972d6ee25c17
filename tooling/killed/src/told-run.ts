import { writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const handlerMs = 10

/** Handles a numbered message for some milliseconds and tells when that begins and ends: `killMembers` reads it. */
export async function toldRun({ key, n }: { readonly key: string; readonly n: number }): Promise<void> {
  // Of the machine, so that the times of several processes compare; written at once, so that a killed one has said it.
  writeSync(1, `begin ${key} ${n} ${process.hrtime.bigint()}\n`)
  await delay(handlerMs)
  writeSync(1, `end ${key} ${n} ${process.hrtime.bigint()}\n`)
}
