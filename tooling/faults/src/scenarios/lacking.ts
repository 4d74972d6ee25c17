/** Faults that the suite will have once there is something to strike. */
export const lacking: readonly { readonly id: string; readonly title: string; readonly lacks: string }[] = [
  {
    id: 'F8',
    title: 'the database restarts all the time under sagas, schedules and an outbox',
    lacks: 'sagas and a scheduler',
  },
  { id: 'F15', title: 'clocks jump under schedules', lacks: 'a scheduler' },
  { id: 'F24', title: 'schedulers race', lacks: 'a scheduler' },
  { id: 'F25', title: 'saga recoverers race, starts are repeated, replies meet timeouts', lacks: 'sagas' },
  { id: 'F29', title: 'one destination of several is out of reach', lacks: 'two brokers in one scenario' },
]
