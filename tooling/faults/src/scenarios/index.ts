import type { Scenario } from '../scenario.ts'
import { killConsumers } from './f01-kill-consumers.ts'
import { killBeforeSettlement } from './f02-kill-before-settlement.ts'
import { killBridges } from './f02-kill-bridges.ts'
import { killInTransport } from './f02-kill-in-transport.ts'
import { killRelays } from './f03-kill-relays.ts'
import { killAroundCommit } from './f04-kill-around-commit.ts'
import { restartServers } from './f05-restart-servers.ts'
import { lostState } from './f06-lost-state.ts'
import { endSessions } from './f07-terminate-sessions.ts'
import { partition } from './f09-partition.ts'
import { halfOpen } from './f10-half-open.ts'
import { slowNetwork } from './f11-slow-network.ts'
import { freezeProcesses } from './f12-freeze.ts'
import { slowConsumer } from './f13-slow-consumer.ts'
import { blockedLoop } from './f14-blocked-loop.ts'
import { duplicates } from './f16-duplicates.ts'
import { concurrentCopies } from './f17-concurrent-copies.ts'
import { redeliveryStorm } from './f18-storm.ts'
import { poison } from './f19-poison.ts'
import { fuzz } from './f20-fuzz.ts'
import { fuzzReaders } from './f20-readers.ts'
import { oversized } from './f21-oversized.ts'
import { noWrites } from './f22-no-writes.ts'
import { racingRelays } from './f23-racing-relays.ts'
import { comeAndGo } from './f26-come-and-go.ts'
import { gracefulClose } from './f27-graceful-close.ts'
import { mixedReleases } from './f28-mixed-releases.ts'
import { cut } from './f30-cut.ts'
import { lateCommits } from './f31-late-commits.ts'
import { pinnedHorizon } from './f32-pinned-horizon.ts'
import { oneConnection } from './f33-one-connection.ts'
import { lostListen } from './f34-lost-listen.ts'
import { storesDown } from './f35-stores-down.ts'
import { throwingCallbacks } from './f36-throwing-callbacks.ts'
import { cycles } from './f37-cycles.ts'
import { batches } from './f38-batches.ts'

export const scenarios: readonly Scenario[] = [
  killConsumers,
  killBeforeSettlement,
  killInTransport,
  killBridges,
  killRelays,
  killAroundCommit,
  restartServers,
  lostState,
  endSessions,
  partition,
  halfOpen,
  slowNetwork,
  freezeProcesses,
  slowConsumer,
  blockedLoop,
  duplicates,
  concurrentCopies,
  redeliveryStorm,
  poison,
  fuzz,
  fuzzReaders,
  oversized,
  noWrites,
  racingRelays,
  comeAndGo,
  gracefulClose,
  mixedReleases,
  cut,
  lateCommits,
  pinnedHorizon,
  oneConnection,
  lostListen,
  storesDown,
  throwingCallbacks,
  cycles,
  ...batches,
]
