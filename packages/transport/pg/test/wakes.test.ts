import { type Clock, systemClock } from '@evt/core'
import { createWakes } from '../src/wakes.ts'

test('whoever stops reading leaves no timer of a retry behind', () => {
  let armed = 0
  const clock: Clock = {
    ...systemClock,
    startTimer() {
      armed += 1
      return {
        cancel() {
          armed -= 1
        },
      }
    },
  }
  const wakes = createWakes({ clock, pollMs: 1_000, look: async () => new Map() })
  for (let group = 1; group <= 3; group += 1) {
    wakes.enter(1, group)
    wakes.wakeAfter(group, 86_400_000)
  }
  wakes.leave(1, 1)
  wakes.leave(1, 2)
  expect(armed).toBe(1)
  wakes.close()
  expect(armed).toBe(0)
})
