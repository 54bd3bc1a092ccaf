using System.Diagnostics;
using System.Runtime.CompilerServices;
using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

/// <summary>This program, started again to pull a file instead of running tests: one that can be killed.</summary>
internal static class OtherProcess
{
    private const string AddressVariable = "GRAFT_TEST_PULL_ADDRESS";
    private const string FolderVariable = "GRAFT_TEST_PULL_FOLDER";
    private const string HashVariable = "GRAFT_TEST_PULL_SHA256";

    public static Process StartPull(StoreScene scene)
    {
        var program = Path.Combine(
            AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Graft.Tests.exe" : "Graft.Tests");
        var start = new ProcessStartInfo(program);
        start.Environment[AddressVariable] = scene.Published.Url.ToString();
        start.Environment[FolderVariable] = scene.Options.Folder;
        start.Environment[HashVariable] = scene.Published.Hash!.Value;
        return Process.Start(start)!;
    }

    [ModuleInitializer]
    internal static void PullIfAsked()
    {
        if (Environment.GetEnvironmentVariable(AddressVariable) is not { } address) return;
        using var handler = new SocketsHttpHandler { UseProxy = false };
        var store = new WeightStore(new()
        {
            Folder = Environment.GetEnvironmentVariable(FolderVariable)!,
            Handler = handler,
        });
        var file = new PublishedFile
        {
            FileName = StoreScene.FileName,
            Url = new(address),
            Hash = FileHash.Sha256(Environment.GetEnvironmentVariable(HashVariable)!),
        };
        store.PullAsync(file).GetAwaiter().GetResult();
        Environment.Exit(0);
    }
}
