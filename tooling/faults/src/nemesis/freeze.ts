import { setTimeout as delay } from 'node:timers/promises'
import type { Member } from '../member.ts'

/** SIGSTOP and SIGCONT: a process that thinks no time has passed. */
export async function freeze(member: Member, forMs: number): Promise<void> {
  member.signal('SIGSTOP')
  await delay(forMs)
  member.signal('SIGCONT')
}
