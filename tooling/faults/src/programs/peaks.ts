import { report } from './report.ts'
import type { Program } from './specification.ts'

/** What a process has used at most. */
export interface Peaks {
  /** Tells what it uses now, and the most memory since it was told last. */
  tell(): void
}

const everyMs = 100
/** So long it must hold them: whoever cannot get in has some more, that are closing, for moments. */
const looks = 50
/** Of node-postgres where a program names no number. */
export const defaultConnections = 12

/** Watches memory and connections; more of these held than before is told at once, for a process may be killed. */
export function watchPeaks(program: Program, ofStage: number): Peaks {
  const allowed = (program.connections ?? defaultConnections) + ofStage
  const recent: number[] = []
  let mostConnections = 0
  let mostRssMb = 0
  const look = () => {
    mostRssMb = Math.max(mostRssMb, rssMb())
    const connections = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    if (recent.push(connections) > looks) recent.shift()
    const held = recent.length < looks ? 0 : Math.min(...recent)
    if (held <= mostConnections) return
    mostConnections = held
    report({ kind: 'connections', most: held, allowed })
  }
  setInterval(look, everyMs).unref()
  return {
    tell() {
      look()
      const { user, system } = process.cpuUsage()
      report({ kind: 'usage', cpuMs: (user + system) / 1_000, rssMb: rssMb(), mostRssMb })
      mostRssMb = 0
    },
  }
}

function rssMb(): number {
  return process.memoryUsage.rss() / 1_048_576
}
