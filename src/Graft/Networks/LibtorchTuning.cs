using System.Runtime.InteropServices;

namespace Graft.Networks;

/// <summary>
/// Settings of the C runtime that make libtorch on Linux several times faster beside threads that decode photos. They must be made before
/// libtorch is loaded; what the environment says already is left as it is.
/// </summary>
internal static partial class LibtorchTuning
{
    private const int TrimThreshold = -1, TopPad = -2, MapThreshold = -3; // malloc.h

    public static void Apply()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            // Threads of OpenMP that wait would otherwise spin, and take the cores from the decoder.
            _ = SetEnvironment("OMP_WAIT_POLICY", "PASSIVE", overwrite: 0);
            // Activations of a batch take tens of megabytes; mapping and clearing fresh pages for each costs more than many a layer.
            _ = SetMallocOption(MapThreshold, 32 << 20);
            _ = SetMallocOption(TrimThreshold, 1 << 30);
            _ = SetMallocOption(TopPad, 64 << 20);
        }
        catch (Exception problem) when (problem is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library than glibc: slower, not wrong.
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetMallocOption(int option, int value);
}
