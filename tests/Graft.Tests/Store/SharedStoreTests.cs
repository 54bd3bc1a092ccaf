using System.Diagnostics;
using System.Globalization;
using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

public class SharedStoreTests
{
    private const string AddressVariable = "GRAFT_TEST_PULL_ADDRESS";
    private const string FolderVariable = "GRAFT_TEST_PULL_FOLDER";
    private const string HashVariable = "GRAFT_TEST_PULL_SHA256";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Many_stores_at_once_download_once()
    {
        using var scene = new StoreScene();
        scene.Server.Then(request => scene.Server.Honest(request) with { Pause = TimeSpan.FromMilliseconds(10) });
        var log = new ProgressLog();
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => scene.PullAsync(log)));
        scene.AssertStored();
        Assert.Single(scene.Server.Requests);
        Assert.Equal(5, log.Entries.Count(entry => entry.State is DownloadState.Waiting));
    }

    [Fact]
    public async Task Waiting_pull_can_be_cancelled()
    {
        using var scene = new StoreScene();
        using var hold = new Slot(scene.Options.Folder, StoreScene.FileName).TryLock();
        using var giveUp = new CancellationTokenSource(TimeSpan.FromMilliseconds(150));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scene.Store.PullAsync(scene.Published, null, giveUp.Token));
        Assert.Throws<WeightStoreException>(() => scene.Store.Remove(StoreScene.FileName));
    }

    [Fact]
    public async Task Two_processes_at_once_download_once()
    {
        using var scene = new StoreScene(bytes: 1 << 20);
        scene.Server.Then(request => scene.Server.Honest(request) with { Pause = TimeSpan.FromMilliseconds(20) });
        using var first = StartPull(scene);
        using var second = StartPull(scene);
        await first.WaitForExitAsync(Cancellation);
        await second.WaitForExitAsync(Cancellation);
        Assert.Equal((0, 0), (first.ExitCode, second.ExitCode));
        scene.AssertStored();
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Pull_killed_in_mid_download_is_finished_by_the_next_process()
    {
        using var scene = new StoreScene(bytes: 1 << 20);
        var cut = new Random().Next(1, 1 << 20);
        scene.Server.Then(request => scene.Server.Honest(request) with { StallAfter = cut });
        using (var killed = StartPull(scene))
        {
            while (!File.Exists(scene.PartialPath) || new FileInfo(scene.PartialPath).Length < cut)
            {
                Assert.False(killed.HasExited, "the pull ended before it was killed");
                await Task.Delay(10, Cancellation);
            }
            killed.Kill();
            await killed.WaitForExitAsync(Cancellation);
        }
        scene.AssertNothingStored();
        Assert.Equal(cut, new FileInfo(scene.PartialPath).Length);

        using var next = StartPull(scene);
        await next.WaitForExitAsync(Cancellation);
        Assert.Equal(0, next.ExitCode);
        scene.AssertStored();
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
        Assert.Equal([null, cut], scene.Server.Requests.Select(request => request.From));
    }

    /// <summary>What the other processes of these tests run.</summary>
    [Fact(Explicit = true)]
    public async Task Pull_in_another_process()
    {
        static string Variable(string name) => Environment.GetEnvironmentVariable(name)!;
        using var handler = new SocketsHttpHandler { UseProxy = false };
        var store = new WeightStore(new() { Folder = Variable(FolderVariable), Handler = handler });
        await store.PullAsync(
            new() { FileName = StoreScene.FileName, Url = new(Variable(AddressVariable)), Hash = FileHash.Sha256(Variable(HashVariable)) },
            null, Cancellation);
    }

    private static Process StartPull(StoreScene scene)
    {
        var start = new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "Graft.Tests" + (OperatingSystem.IsWindows() ? ".exe" : "")),
            ["-explicit", "only", "-method", $"{typeof(SharedStoreTests).FullName}.{nameof(Pull_in_another_process)}"])
        {
            RedirectStandardOutput = true,
        };
        foreach (var name in start.Environment.Keys.Where(IsTestRunners).ToArray()) start.Environment.Remove(name);
        start.Environment[AddressVariable] = scene.Published.Url.ToString();
        start.Environment[FolderVariable] = scene.Options.Folder;
        start.Environment[HashVariable] = scene.Published.Hash!.Value;
        return Process.Start(start)!;

        static bool IsTestRunners(string variable) =>
            variable.StartsWith("TESTINGPLATFORM", true, CultureInfo.InvariantCulture)
            || variable.StartsWith("DOTNET_CLI_TEST", true, CultureInfo.InvariantCulture);
    }
}
