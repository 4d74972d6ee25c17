import { report } from './report.ts'
import type { Program } from './specification.ts'

/** What a process has used at most. */
export interface Peaks {
  /** Tells what it uses now, and the most memory since it was told last. */
  tell(): void
}

const everyMs = 100
/** Of node-postgres where a program names no number. */
export const defaultConnections = 12

/** Watches memory and connections; more of these than ever before is told at once, for a process may be killed. */
export function watchPeaks(program: Program, ofStage: number): Peaks {
  const allowed = (program.connections ?? defaultConnections) + ofStage
  let mostConnections = 0
  let mostRssMb = 0
  const look = () => {
    mostRssMb = Math.max(mostRssMb, rssMb())
    const connections = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    if (connections <= mostConnections) return
    mostConnections = connections
    report({ kind: 'connections', most: connections, allowed })
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
