using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

public class SharedStoreTests
{
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
    public async Task Waiting_pull_can_be_canceled()
    {
        using var scene = new StoreScene();
        using var hold = new Slot(scene.Options.Folder, StoreScene.FileName).TryLock();
        using var giveUp = new CancellationTokenSource(TimeSpan.FromMilliseconds(150));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => scene.Store.PullAsync(scene.Published, null, giveUp.Token));
        Assert.Throws<WeightStoreException>(() => scene.Store.Remove(StoreScene.FileName));
    }

    [Fact]
    public async Task Two_processes_at_once_download_once()
    {
        using var scene = new StoreScene(bytes: 1 << 20);
        scene.Server.Then(request => scene.Server.Honest(request) with { Pause = TimeSpan.FromMilliseconds(20) });
        using var first = OtherProcess.StartPull(scene);
        using var second = OtherProcess.StartPull(scene);
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
        using (var killed = OtherProcess.StartPull(scene))
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

        using var next = OtherProcess.StartPull(scene);
        await next.WaitForExitAsync(Cancellation);
        Assert.Equal(0, next.ExitCode);
        scene.AssertStored();
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
        Assert.Equal([null, cut], scene.Server.Requests.Select(request => request.From));
    }
}
