using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Inference;

/// <summary>
/// How Graft opens models in ONNX Runtime: silent, one thread unless asked for more, and without the usage reports that its packages send to Microsoft
/// from 1.29 on ("POSIX telemetry", microsoft/onnxruntime#27379): they name the model's file, its graph and hashes of its weights.
/// </summary>
internal static partial class OnnxSessions
{
    private static readonly Lazy<bool> WithoutReports = new(() =>
    {
        // Looked at once, when ONNX Runtime starts; what the user has set stays. .NET's own variables do not reach native code.
        if (!OperatingSystem.IsWindows() && !OperatingSystem.IsBrowser()) _ = SetVariable("ORT_DISABLE_TELEMETRY", "1", overwrite: 0);
        OrtEnv.Instance().DisableTelemetryEvents();
        return true;
    });

    public static SessionOptions Options(int threads = 1)
    {
        _ = WithoutReports.Value;
        return new() { IntraOpNumThreads = threads, InterOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
    }

    /// <summary>For a file from a stranger, which does not read the user's others.</summary>
    public static SessionOptions WithoutExternalData(this SessionOptions options)
    {
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.Join(AppContext.BaseDirectory, "external-data-is-not-read"));
        return options;
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}
