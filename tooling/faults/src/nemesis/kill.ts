import type { Member } from '../member.ts'

/** SIGKILL: nothing is flushed, nothing is said. Resolves when the process is gone. */
export async function kill(member: Member): Promise<void> {
  member.signal('SIGKILL')
  await member.ended
}
