import type { Member } from '../member.ts'
import type { Rig } from '../rig.ts'
import { kill } from './kill.ts'

/** So many members, each replaced when it dies, until `rest`. */
export interface Crew {
  readonly ready: Promise<unknown>
  readonly running: readonly Member[]
  /** The one that did something last, else any. */
  busiest(): Member | undefined
  /** Kills one: most often the busiest. */
  killOne(): Promise<void>
  /** From now on the dead stay dead. */
  rest(): void
}

/** `make` is told how many were made before. */
export function startCrew(rig: Rig, size: number, make: (index: number) => Member): Crew {
  let made = 0
  let resting = false
  let failures = 0
  const running = new Set<Member>()
  const add = () => {
    const member = make(made)
    made += 1
    running.add(member)
    void member.ended.then(({ code, signal, stderr }) => {
      running.delete(member)
      if (resting || rig.isOver) return
      rig.expect('a program died by itself', signal === 'SIGKILL', `${member.program} ${code ?? signal}`, stderr)
      if (signal !== 'SIGKILL') failures += 1
      // One that cannot even start would be replaced for ever.
      if (failures < 3) add()
    })
    return member
  }
  const first = Array.from({ length: size }, add)
  const busiest = () => {
    const last = rig.ledger.lastPid('start', 'sent')
    return [...running].find((member) => member.pid === last) ?? [...running][0]
  }
  return {
    ready: Promise.all(first.map((member) => member.ready)),
    get running() {
      return [...running]
    },
    busiest,
    async killOne() {
      const all = [...running]
      const chosen = rig.random() < 0.75 ? busiest() : all[Math.floor(rig.random() * all.length)]
      if (chosen === undefined) return
      rig.count('kills')
      await kill(chosen)
    },
    rest() {
      resting = true
    },
  }
}
