import type { Scenario } from '../scenario.ts'
import { killConsumers } from './f01-kill-consumers.ts'
import { killBeforeSettlement } from './f02-kill-before-settlement.ts'
import { killRelays } from './f03-kill-relays.ts'
import { killAroundCommit } from './f04-kill-around-commit.ts'

export const scenarios: readonly Scenario[] = [killConsumers, killBeforeSettlement, killRelays, killAroundCommit]
