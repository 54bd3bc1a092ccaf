using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Graft.Testing;
using Graft.Tests.Store;

namespace Graft.EndToEndTests;

/// <summary><c>graft models</c> and what it does with the weight store, against a web server that does not always do what it should.</summary>
public sealed class ModelsTests : IDisposable
{
    /// <summary>As the catalog has it; its content here is our own, and trusted by <c>--hash</c>.</summary>
    private const string FileName = "alexnet-owt-7be5be79.pth";

    private const string SqueezeNet = "weights/keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5";

    private readonly TemporaryFolder _folder = new();
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(300_000);
    private readonly HostileServer _server;
    private readonly GraftCommand _graft;

    public ModelsTests()
    {
        _server = new(_content);
        _graft = new(_folder.File("home")) { WorkingFolder = _folder.FullName };
        _graft.Environment["GRAFT_OFFLINE"] = "0";
        _graft.Environment["GRAFT_MIRROR"] = $"{_server.Address("mirror")}";
        _graft.Environment["NO_PROXY"] = "127.0.0.1";
    }

    private string Hash => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(_content))}";

    private string Stored => _folder.File($"home/weights/{FileName}");

    public void Dispose()
    {
        _server.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Weights_are_pulled_through_faults_verified_mended_and_removed()
    {
        _server.ThenStatus("503 Service Unavailable").ThenCut(100_000);
        var pulled = Ends(0, _graft.Run("models", "pull", "alexnet", "--hash", Hash));
        Assert.Equal($"{Stored}\n", pulled.Output);
        Assert.Equal(_content, File.ReadAllBytes(Stored));
        Assert.Equal([null, null, 100_000], _server.Requests.Select(request => request.From));
        Assert.All(_server.Requests, request => Assert.Equal($"/mirror/{FileName}", request.Path));

        Assert.Equal($"{Stored}\n", Ends(0, _graft.Run("models", "pull", "alexnet")).Output);
        Assert.Equal(3, _server.Requests.Count);
        Assert.Contains(Stored, Ends(0, _graft.Run("models", "verify")).Output, StringComparison.Ordinal);

        var rotten = (byte[])_content.Clone();
        rotten[1234] ^= 1;
        File.WriteAllBytes(Stored, rotten);
        var wrong = Ends(1, _graft.Run("models", "verify"));
        Assert.Contains(FileName, wrong.Output, StringComparison.Ordinal);
        Assert.Contains("1 wrong", wrong.Messages, StringComparison.Ordinal);
        Ends(0, _graft.Run("models", "pull", "alexnet"));
        Assert.Equal(_content, File.ReadAllBytes(Stored));

        Assert.Equal($"{FileName}: 0.3 MB freed\n", Ends(0, _graft.Run("models", "rm", "alexnet")).Output);
        Assert.False(File.Exists(Stored));
        Assert.Equal($"{FileName}: 0.0 MB freed\n", Ends(0, _graft.Run("models", "rm", "alexnet")).Output);
    }

    [Fact]
    public void Another_file_than_the_published_one_is_told_with_both_hashes_and_not_kept()
    {
        // The publisher comes after the mirror; here both answer the same.
        _graft.Environment["HF_ENDPOINT"] = $"{_server.Address()}";
        var result = Ends(1, _graft.Run("models", "pull", "vit_small_patch14_dinov2"));

        Assert.Contains(Hash["sha256:".Length..], result.Messages, StringComparison.Ordinal);
        Assert.Contains("04d27f3400d059fc0cfd7d17dd1909a75bf3ea8fb3eeb48b97cb99e57ee20081", result.Messages, StringComparison.Ordinal);
        Assert.Equal(
            ["/mirror/vit_small_patch14_dinov2.lvd142m.safetensors", "/timm/vit_small_patch14_dinov2.lvd142m/resolve/main/model.safetensors"],
            _server.Requests.Select(request => request.Path).Distinct());
        Assert.DoesNotContain(Directory.GetFiles(_folder.File("home/weights")), file => file.EndsWith(".safetensors", StringComparison.Ordinal));
    }

    [Fact]
    public void Interrupted_pull_goes_on_where_it_stopped()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Ctrl-C is sent as a signal");
        const int Sent = 160_000;
        _server.Then(request => _server.Honest(request) with { StallAfter = Sent });
        using var process = _graft.Start("models", "pull", "alexnet", "--hash", Hash);
        using var limit = new Timer(_ => process.Kill(entireProcessTree: true), null, TimeSpan.FromMinutes(2), Timeout.InfiniteTimeSpan);
        while (!process.HasExited && !(File.Exists($"{Stored}.part") && new FileInfo($"{Stored}.part").Length >= Sent)) Thread.Sleep(20);

        Assert.Equal(0, SendSignal(process.Id, 2));
        var messages = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.True(process.ExitCode == 130, messages);
        Assert.Contains("Interrupted", messages, StringComparison.Ordinal);
        Assert.False(File.Exists(Stored));
        Ends(0, _graft.Run("models", "pull", "alexnet"));
        Assert.Equal([null, Sent], _server.Requests.Select(request => request.From));
        Assert.Equal(_content, File.ReadAllBytes(Stored));
    }

    [Fact]
    public void File_brought_by_hand_is_imported_if_it_is_the_right_one()
    {
        _graft.Environment["GRAFT_OFFLINE"] = "1";
        var offline = Ends(1, _graft.Run("models", "pull", "alexnet"));
        Assert.Contains($"https://download.pytorch.org/models/{FileName}", offline.Messages, StringComparison.Ordinal);

        File.WriteAllBytes(_folder.File("brought.pth"), _content);
        Assert.Contains("--name", Ends(1, _graft.Run("models", "import", "brought.pth")).Messages, StringComparison.Ordinal);
        Assert.Contains("7be5be79", Ends(1, _graft.Run("models", "import", "brought.pth", "--name", "alexnet")).Messages, StringComparison.Ordinal);
        Assert.False(File.Exists(Stored));

        Assert.Equal($"{Stored}\n", Ends(0, _graft.Run("models", "import", "brought.pth", "--name", "alexnet", "--hash", Hash)).Output);
        Assert.Equal(_content, File.ReadAllBytes(Stored));
        Assert.True(File.Exists(_folder.File("brought.pth")));
        Assert.Empty(_server.Requests);
    }

    [Fact]
    public void Wrong_usage_ends_with_2()
    {
        Ends(2, _graft.Run("models", "pull", "alexnot"));
        Ends(2, _graft.Run("models", "pull"));
        Ends(2, _graft.Run("models", "rm", "graft_mobilenet_v2_050"));
        Ends(2, _graft.Run("models", "show", "vgg16", "--classes", "1"));
        Assert.Contains(".mmd", Ends(2, _graft.Run("models", "show", "vgg16", "--diagram", "vgg16.svg")).Messages, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("vgg16.svg")));
    }

    [SharedFact(SqueezeNet)]
    public void Published_weights_are_fetched_by_the_verb_that_needs_them()
    {
        _server.File = File.ReadAllBytes(SharedFolder.Path(SqueezeNet));
        _server.ThenCut(1_000_000);
        using var photos = new DrawnPhotos();

        var result = Ends(0, _graft.Run("train", photos.Folder, "--backbone", "squeezenet1_1.keras", "--epochs", "1", "--out", "run"));

        Assert.Contains("Downloading squeezenet_weights", result.Messages, StringComparison.Ordinal);
        Assert.Equal([null, 1_000_000], _server.Requests.Select(request => request.From));
        Assert.True(File.Exists(_folder.File("run/model.safetensors")));
    }

    [Fact]
    public void Show_cuts_the_head_counts_the_new_one_and_draws()
    {
        var shown = Ends(0, _graft.Run("models", "show", "vgg16", "--classes", "2", "--diagram", "vgg16.dot"));
        Assert.EndsWith("\nfrozen 14,714,688 · trainable 2,050\n", shown.Output, StringComparison.Ordinal);
        Assert.Contains("head.classes", shown.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("predictions", shown.Output, StringComparison.Ordinal);
        Assert.Contains("head.classes", File.ReadAllText(_folder.File("vgg16.dot")), StringComparison.Ordinal);

        var again = Ends(1, _graft.Run("models", "show", "vgg16", "--diagram", "vgg16.dot"));
        Assert.Contains("delete it first", again.Messages, StringComparison.Ordinal);
        Assert.Contains("head.classes", File.ReadAllText(_folder.File("vgg16.dot")), StringComparison.Ordinal);

        var json = Ends(0, _graft.Run("models", "show", "mobilenet_v2", "--classes", "5", "--json")).Json;
        Assert.Equal(1280 * 5 + 5 + 2 * 1280, json.GetProperty("trainable").GetInt64());
    }

    private static CommandResult Ends(int exitCode, CommandResult result)
    {
        Assert.True(exitCode == result.ExitCode, $"expected exit code {exitCode}, found {result}");
        Assert.DoesNotContain("   at ", result.Messages, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", result.Messages, StringComparison.Ordinal);
        return result;
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int SendSignal(int process, int signal);
}
