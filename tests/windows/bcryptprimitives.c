/* Rust's standard library takes random numbers from `ProcessPrng` of bcryptprimitives.dll, which Wine has
   only since version 9. This is the same function for an older Wine. Only for tests. */

#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length) {
    return SystemFunction036(buffer, (ULONG)length);
}
