using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

public class PullTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pulled_file_is_found_without_the_network()
    {
        using var scene = new StoreScene();
        Assert.Null(scene.Store.Find(scene.Published));
        Assert.Equal(scene.FinalPath, await scene.PullAsync());
        scene.AssertStored();
        scene.Options = scene.Options with { Offline = true };
        Assert.Equal(scene.FinalPath, await scene.PullAsync());
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Every_kind_of_hash_is_checked()
    {
        using var scene = new StoreScene();
        var sha256 = StoreScene.Sha256(scene.Content);
#pragma warning disable CA5351 // Keras publishes MD5.
        var md5 = Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(scene.Content));
#pragma warning restore CA5351
        FileHash[] right = [FileHash.Md5(md5), FileHash.Sha256Prefix(sha256[..8]), FileHash.Sha256(sha256)];
        foreach (var hash in right)
        {
            scene.Store.Remove(StoreScene.FileName);
            scene.Published = scene.Published with { Hash = hash };
            await scene.PullAsync();
            scene.AssertStored();
        }
        var wrongMd5 = FileHash.Md5(Other(md5[0]) + md5[1..]);
        var wrongPrefix = FileHash.Sha256Prefix(sha256[..7] + Other(sha256[7]));
        foreach (var hash in (FileHash[])[wrongMd5, wrongPrefix])
        {
            scene.Store.Remove(StoreScene.FileName);
            scene.Published = scene.Published with { Hash = hash };
            var error = await scene.PullFailsAsync();
            error.AssertSays(hash.ToString());
            scene.AssertNothingStored();
        }

        static char Other(char digit) => digit == '0' ? '1' : '0';
    }

    [Fact]
    public async Task Canceled_pull_leaves_a_part_that_the_next_one_finishes()
    {
        using var scene = new StoreScene();
        await scene.InterruptAfterAsync(130_000);
        scene.AssertNothingStored();
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
    }

    [Fact]
    public async Task Finished_part_is_not_asked_for_again()
    {
        using var scene = new StoreScene();
        await scene.InterruptAfterAsync(150_000);
        await File.AppendAllBytesAsync(scene.PartialPath, scene.Content[150_000..], Cancellation);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Progress_counts_what_an_earlier_pull_has_brought()
    {
        using var scene = new StoreScene();
        await scene.InterruptAfterAsync(130_000);
        var log = new ProgressLog();
        await scene.PullAsync(log);
        Assert.True(log.Entries[0].Received > 130_000);
        var whole = new DownloadProgress(
            StoreScene.FileName, DownloadState.Downloading, 200_000, 200_000, scene.Published.Url);
        Assert.Equal(whole, log.Entries[^1]);
    }

    [Fact]
    public async Task Offline_names_the_address_the_file_the_folder_and_the_command_and_asks_nobody()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { Offline = true };
        scene.Published = scene.Published with { Url = scene.Server.Address("a/model.safetensors"), Bytes = 200_000 };
        var error = await scene.PullFailsAsync();
        Assert.Empty(scene.Server.Requests);
        error.AssertSays(scene.Published.Url.ToString());
        error.AssertSays("200,000 bytes, " + scene.Published.Hash);
        Assert.Equal(("weights-not-downloaded", "model.safetensors"), (error.Code, error.Value));
        error.AssertSays($"into the folder {scene.Options.Folder} under the name {StoreScene.FileName}");
    }

    [Fact]
    public async Task Failure_names_every_source_and_the_way_by_hand()
    {
        using var scene = new StoreScene();
        using var mirror = new HostileServer(scene.Content);
        mirror.ThenStatus("404 Not Found");
        scene.Server.ThenStatus("403 Forbidden");
        scene.Options = scene.Options with { Mirror = mirror.Address() };
        var error = await scene.PullFailsAsync();
        error.AssertSays($"{mirror.Address(StoreScene.FileName)}: status 404 Not Found");
        error.AssertSays($"{scene.Published.Url}: status 403 Forbidden");
        error.AssertSays("put it into the folder");
    }

    [Fact]
    public async Task File_put_into_the_folder_by_hand_is_verified_and_taken()
    {
        using var scene = new StoreScene();
        Directory.CreateDirectory(scene.Options.Folder);
        await File.WriteAllBytesAsync(scene.FinalPath, scene.Content, Cancellation);
        scene.Options = scene.Options with { Offline = true };
        Assert.Equal(scene.FinalPath, await scene.PullAsync());
    }

    [Fact]
    public async Task Wrong_file_put_into_the_folder_is_told_offline_and_replaced_online()
    {
        using var scene = new StoreScene();
        Directory.CreateDirectory(scene.Options.Folder);
        var wrong = StoreScene.Bytes(200_000, seed: 2);
        await File.WriteAllBytesAsync(scene.FinalPath, wrong, Cancellation);
        Assert.Null(scene.Store.Find(scene.Published));
        var online = scene.Options;
        scene.Options = online with { Offline = true };
        var error = await scene.PullFailsAsync();
        error.AssertSays(StoreScene.Sha256(wrong));
        scene.Options = online;
        await scene.PullAsync();
        scene.AssertStored();
    }

    [Fact]
    public async Task File_without_a_published_hash_must_stay_what_it_was_at_first()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        await scene.PullAsync();
        scene.AssertStored();
        File.Delete(scene.FinalPath);
        scene.Server.File = StoreScene.Bytes(200_000, seed: 2);
        var error = await scene.PullFailsAsync();
        error.AssertSays(StoreScene.Sha256(scene.Content));
        error.AssertSays(StoreScene.Sha256(scene.Server.File));

        scene.Store.Remove(StoreScene.FileName);
        await scene.PullAsync();
        scene.AssertStored(scene.Server.File);
    }

    [Fact]
    public async Task File_without_any_known_hash_is_said_to_be_not_verified_once()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        var first = new ProgressLog();
        await scene.PullAsync(first);
        var said = Assert.Single(first.Entries, entry => entry.State == DownloadState.NotVerified);
        Assert.Contains(StoreScene.Sha256(scene.Content), said.Note, StringComparison.Ordinal);
        Assert.Equal(said.Received, scene.Content.Length);
        Assert.Equal(FileHash.Sha256(StoreScene.Sha256(scene.Content)), scene.Store.HashOf(scene.Published));

        File.Delete(scene.FinalPath);
        var second = new ProgressLog();
        await scene.PullAsync(second);
        Assert.DoesNotContain(second.Entries, entry => entry.State == DownloadState.NotVerified);
        scene.AssertStored();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(null)]
    public async Task Body_of_no_published_size_ends_at_the_cap(int? claimedLength)
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        scene.Options = scene.Options with { MaxUnstatedBytes = 100_000 };
        scene.Server.Then(request => scene.Server.Honest(request) with { ClaimedLength = claimedLength });

        var error = await scene.PullFailsAsync();

        error.AssertSays("100,000", "no size is published");
        Assert.False(File.Exists(scene.FinalPath));
        scene.Options = scene.Options with { MaxUnstatedBytes = 200_000 };
        await scene.PullAsync();
        scene.AssertStored();
    }

    [Fact]
    public async Task Part_without_hash_or_validator_is_not_trusted()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        scene.Server.ETag = null;
        await scene.InterruptAfterAsync(100_000);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Null(scene.Server.Requests[1].From);
    }

    [Fact]
    public async Task Pinned_hash_takes_the_place_of_the_published_one()
    {
        using var scene = new StoreScene();
        var replaced = StoreScene.Bytes(190_000, seed: 2);
        scene.Published = scene.Published with { Bytes = 200_000 };
        scene.Server.File = replaced;
        await scene.PullFailsAsync();
        scene.Store.Pin(scene.Published, FileHash.Sha256(StoreScene.Sha256(replaced)));
        await scene.PullAsync();
        scene.AssertStored(replaced);
        Assert.All(scene.Store.Verify([scene.Published]), check => Assert.Equal(FileCondition.Ok, check.Condition));
        scene.Store.Remove(StoreScene.FileName);
        await scene.PullFailsAsync();
    }

    [Fact]
    public async Task Full_disk_is_told_as_such()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/dev/full is a Linux device");
        using var scene = new StoreScene();
        Directory.CreateDirectory(scene.Options.Folder);
        File.CreateSymbolicLink(scene.PartialPath, "/dev/full");
        var error = await scene.PullFailsAsync();
        error.AssertSays($"The disk that holds {scene.Options.Folder} is full");
    }

    [Fact]
    public async Task Folder_that_cannot_be_made_is_told_as_such()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { Folder = Path.Combine(scene.Outside("file", []), "weights") };
        var error = await scene.PullFailsAsync();
        error.AssertSays($"cannot write to its weights folder {scene.Options.Folder}");
        error.AssertSays("GRAFT_HOME");
        Assert.Empty(scene.Server.Requests);
    }

    [Fact]
    public async Task Read_only_folder_still_gives_what_it_has()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Skip("no permission stops this user");
            return;
        }
        using var scene = new StoreScene();
        await scene.PullAsync();
        File.Delete(scene.FinalPath + ".json");
        File.SetUnixFileMode(scene.Options.Folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            Assert.Equal(scene.FinalPath, await scene.PullAsync());
            scene.Published = scene.Published with { FileName = "other.bin" };
            var error = await scene.PullFailsAsync();
            error.AssertSays("cannot write to its weights folder");
        }
        finally
        {
            File.SetUnixFileMode(
                scene.Options.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
