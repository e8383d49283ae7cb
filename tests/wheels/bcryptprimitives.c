// Windows has this library; Wine 8 has not, and Go's programs do not start without it.
unsigned char SystemFunction036(void *data, unsigned long size); // advapi32's, as good a source

int DllMainCRTStartup(void *library, unsigned long reason, void *reserved) { return 1; }

__declspec(dllexport) int ProcessPrng(void *data, unsigned long long size) {
    return SystemFunction036(data, (unsigned long)size);
}
