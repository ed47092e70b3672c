/** Errors by which a block is refused; anything else is a fault of ours, or of the folder. */
const REFUSALS = new Set(['BlockError', 'InvalidTransactionError', 'TransactionInputError', 'BlockInputError'])

/** Whether what was thrown says that a block may not stand. */
export const isRefusal = (thrown: unknown): thrown is Error => thrown instanceof Error && REFUSALS.has(thrown.name)
