using System.Runtime.InteropServices;
using System.Text;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Wrong things get one clear line and the right exit code.</summary>
public sealed class WrongUsageTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private GraftCommand Graft => new(_folder.FullName);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Wrong_usage_ends_with_2()
    {
        AssertFails(2, "no-such-folder", Graft.Run("train", "no-such-folder"));
        AssertFails(2, "resnet5000", Graft.Run("train", photos.Folder, "--backbone", "resnet5000"));
        AssertFails(2, "--epoochs", Graft.Run("train", photos.Folder, "--backbone", "tiny", "--epoochs", "3"));
        AssertFails(2, "Expected --learning-rate above 0, found -1", Graft.Run("train", photos.Folder, "--backbone", "tiny", "--learning-rate", "-1"));
        AssertFails(2, "no-such-weights.h5", Graft.Run("train", photos.Folder, "--backbone", "tiny", "--weights", "no-such-weights.h5"));
        AssertFails(2, "no-such-model", Graft.Run("predict", "no-such-model", "photo.jpg"));
        AssertFails(2, "trian", Graft.Run("trian", photos.Folder));
    }

    [Theory]
    [InlineData("Expected --rotation with a number such as 0.5, found 'far'.\nSee: graft data preview --help\n", "data", "preview", "x", "--rotation", "far")]
    [InlineData("Expected --top with a whole number, found 'many'.\nSee: graft predict --help\n", "predict", "x", "y", "--top", "many")]
    [InlineData("Expected --augment none, light, medium or strong, found 'wild'.\nSee: graft train --help\n", "train", "x", "--augment", "wild")]
    [InlineData("Expected --fill reflect, edge or black, found 'blue'.\nSee: graft data preview --help\n", "data", "preview", "x", "--fill", "blue")]
    [InlineData("Expected a value for --quarantine, found ''.\nSee: graft data check --help\n", "data", "check", "x", "--quarantine", "")]
    [InlineData("Expected a name, found ' '.\nSee: graft evaluate --help\n", "evaluate", " ", "x")]
    [InlineData("There is no option '--treshold'. If it is a file, name it as ./--treshold.\nSee: graft predict --help\n", "predict", "x", "y", "--treshold", "0.5")]
    [InlineData("There is no option '--treshold'. If it is a file, name it as ./--treshold.\nSee: graft label --help\n", "label", "x", "--with", "y", "--treshold", "0.5")]
    [InlineData("There is no option '--precison'. If it is a file, name it as ./--precison.\nSee: graft export --help\n", "export", "x", "--out", "y.onnx", "--check", "z", "--precison", "int8")]
    [InlineData("There is no option '--eopchs'. If it is a file, name it as ./--eopchs.\nSee: graft train --help\n", "train", "x", "--out", "--eopchs")]
    [InlineData("Option '--into' is required.\nSee: graft data split --help\n", "data", "split", "x")]
    public void Wrong_value_is_told_with_the_words_of_the_help(string sentence, params string[] arguments)
    {
        var result = Graft.Run(arguments);

        Assert.Equal((2, $"graft: {sentence}", ""), (result.ExitCode, result.Messages, result.Output));
    }

    /// <summary>This build, or this machine, has no GPU: never is the CPU taken instead.</summary>
    [Theory]
    [InlineData("predict", "tiny", "PHOTO")]
    [InlineData("evaluate", "tiny", "PHOTOS")]
    [InlineData("serve", "tiny", "--port", "0")]
    [InlineData("features", "PHOTOS", "--backbone", "tiny", "--out", "features.npz")]
    public void Missing_GPU_is_told_with_what_to_install(params string[] arguments)
    {
        var photo = Directory.EnumerateFiles(photos.Folder, "*.jpg", SearchOption.AllDirectories).First();
        var result = Graft.Run([.. arguments.Select(argument => argument switch { "PHOTO" => photo, "PHOTOS" => photos.Folder, _ => argument }), "--device", "cuda"]);

        Assert.SkipWhen(result.ExitCode == 0, "this machine has a GPU, and this build is for it");
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("--device cuda needs Graft built with -p:GraftOnnxRuntime=cuda, NVIDIA's driver, CUDA 13 and cuDNN 9.", result.Messages, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("features.npz")));
    }

    [Fact]
    public void Device_that_does_not_exist_or_does_not_fit_the_engine_is_wrong_usage()
    {
        AssertFails(2, "'gpu'", Graft.Run("predict", "tiny", "photo.jpg", "--device", "gpu"));
        AssertFails(2, "Leave --engine out", Graft.Run("features", photos.Folder, "--out", "features.npz", "--device", "cuda", "--engine", "torch"));
    }

    [Fact]
    public void Unknown_network_to_try_is_told_without_the_words_of_the_library() =>
        Assert.Equal((2, "graft: There is no backbone 'nowhere'.\n"), Graft.Run("try", ".", "--backbones", "nowhere") is var result ? (result.ExitCode, result.Messages) : default);

    [Fact]
    public void File_that_is_called_like_an_option_is_named_by_its_place()
    {
        File.WriteAllText(_folder.File("--odd.jpg"), "no photo");

        AssertFails(2, "There is no option '--odd.jpg'", Graft.Run("predict", "tiny", "--odd.jpg"));
        AssertFails(1, "--odd.jpg: not a picture", Graft.Run("predict", "tiny", "./--odd.jpg"), oneLine: false);
        AssertFails(1, "--odd.jpg: not a picture", Graft.Run("predict", "tiny", "--", "--odd.jpg"), oneLine: false);
    }

    [Fact]
    public void Run_of_an_older_Graft_that_is_not_finished_is_started_again_rather_than_resumed()
    {
        File.WriteAllText(_folder.File("run/run.json"), $$"""{ "arguments": ["{{photos.Folder}}", "--epochs", "1"], "begun": "2026-01-01T00:00:00+00:00" }""");

        AssertFails(1, $"Start it again: graft train {photos.Folder} --epochs 1", Graft.Run("train", "--resume", _folder.File("run")));
    }

    [Fact]
    public void Unsuitable_data_ends_with_1()
    {
        var fish = Directory.GetFiles(Path.Combine(photos.Folder, "train/fish"));
        Copy(fish[..3], "one-class/fish");
        AssertFails(1, "fish", Graft.Run("train", _folder.File("one-class")));

        Copy(fish[..3], "empty-class/fish");
        Copy(fish[3..6], "empty-class/cup");
        Directory.CreateDirectory(_folder.File("empty-class/hollow"));
        AssertFails(1, "hollow", Graft.Run("train", _folder.File("empty-class")));

        Copy(fish[..1], "few/fish");
        Copy(fish[1..2], "few/cup");
        AssertFails(1, "few", Graft.Run("train", _folder.File("few")));

        void Copy(string[] files, string to)
        {
            foreach (var file in files) File.Copy(file, _folder.File(Path.Combine(to, Path.GetFileName(file))));
        }
    }

    [Fact]
    public void Unsuitable_weights_end_with_1_and_run_no_code()
    {
        // A pickle that asks for os.system("touch …/written").
        var written = _folder.File("written");
        var malicious = _folder.File("malicious.pth");
        File.WriteAllBytes(malicious, [.. Encoding.ASCII.GetBytes($"\x80\x02cposix\nsystem\nX"), .. Length($"touch {written}"),
            .. Encoding.ASCII.GetBytes($"touch {written}"), 0x85, (byte)'R', (byte)'.']);
        // 0x80 is not ASCII: the encoder wrote '?'.
        var bytes = File.ReadAllBytes(malicious);
        bytes[0] = 0x80;
        File.WriteAllBytes(malicious, bytes);
        var refusal = Train("mobilenet_v2", malicious);
        AssertFails(1, "malicious.pth", refusal);
        Assert.False(File.Exists(written));

        var truncated = _folder.File("truncated.h5");
        File.WriteAllBytes(truncated, [0x89, (byte)'H', (byte)'D', (byte)'F', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0]);
        AssertFails(1, "truncated.h5", Train("mobilenet_v1_075", truncated));

        // The embedded network's own file does not fit another network.
        Assert.Equal(0, Graft.Run("predict", "graft_mobilenet_v2_050", Directory.GetFiles(Path.Combine(photos.Folder, "train/fish"))[0]).ExitCode);
        var other = Directory.GetFiles(_folder.FullName, "graft_mobilenet_v2_050*.safetensors", SearchOption.AllDirectories).Single();
        AssertFails(1, "squeezenet1_1", Train("squeezenet1_1", other));

        CommandResult Train(string backbone, string weights) =>
            Graft.Run("train", photos.Folder, "--backbone", backbone, "--weights", weights, "--out", _folder.File("run"));

        static byte[] Length(string text) => BitConverter.GetBytes(text.Length);
    }

    [Fact]
    public void Missing_published_weights_offline_name_the_file_and_the_place()
    {
        var result = Graft.Run("train", photos.Folder, "--backbone", "mobilenet_v2");

        AssertFails(1, "mobilenet_v2-b0353104.pth", result, oneLine: false);
        Assert.Contains("https://", result.Messages);
    }

    [Fact]
    public void Nothing_is_written_over()
    {
        File.WriteAllText(_folder.File("run/precious.txt"), "mine");

        AssertFails(1, "not empty", Graft.Run("train", photos.Folder, "--backbone", "tiny", "--out", _folder.File("run")));

        Assert.Equal(["precious.txt"], Directory.GetFileSystemEntries(_folder.File("run")).Select(Path.GetFileName));
    }

    [Fact]
    public void Output_folder_that_cannot_be_written_is_said_before_training()
    {
        File.WriteAllText(_folder.File("file"), "in the way");

        AssertFails(1, "--out", Graft.Run("train", photos.Folder, "--backbone", "tiny", "--out", Path.Combine(_folder.FullName, "file", "run")));
    }

    [Fact]
    public void Full_disk_under_the_run_folder_ends_with_1_and_says_so()
    {
        using var disk = SmallDisk.Mount(_folder.File("disk/x"), kilobytes: 64);

        var result = Graft.Run("train", photos.Folder, "--backbone", "tiny", "--out", Path.Combine(disk.Path, "run"));

        AssertFails(1, "space", result, oneLine: false);
        Assert.False(File.Exists(Path.Combine(disk.Path, "run/model.safetensors")));
    }

    [Fact]
    public void Full_disk_under_the_cache_only_costs_the_cache()
    {
        using var disk = SmallDisk.Mount(_folder.File("disk/x"), kilobytes: 64);
        var graft = new GraftCommand(disk.Path);

        var result = graft.Run("train", photos.Folder, "--backbone", "tiny", "--out", _folder.File("run"), "--json");

        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Contains("without the cache", result.Messages);
    }

    [Fact]
    public void Interrupted_run_on_features_ends_with_130_and_can_be_resumed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Ctrl-C is sent as a signal");
        using var process = Graft.Start("train", photos.Folder, "--backbone", "tiny", "--out", _folder.File("run"), "--epochs", "1000000", "--patience", "0");
        using var limit = new Timer(_ => process.Kill(), null, TimeSpan.FromMinutes(2), Timeout.InfiniteTimeSpan);
        var (messages, extractions) = (new StringBuilder(), 0);
        while (process.StandardError.ReadLine() is { } line)
        {
            messages.AppendLine(line);
            // Of the images to train on, and of the others; then the training begins.
            if (line.Split(' ') is ["Features:", var done, "of", var all, "images"] && done == all && ++extractions == 2) break;
        }

        Assert.Equal(0, SendSignal(process.Id, 2));
        messages.Append(process.StandardError.ReadToEnd());

        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(20)), "It did not end.");
        Assert.Equal(130, process.ExitCode);
        Assert.Contains("Interrupted", messages.ToString());
        Assert.False(File.Exists(_folder.File("run/result.json")));
        Assert.False(File.Exists(_folder.File("run/model.safetensors")));
        Assert.True(File.Exists(_folder.File("run/run.json")));
    }

    private static void AssertFails(int exitCode, string named, CommandResult result, bool oneLine = true)
    {
        Assert.True(exitCode == result.ExitCode, $"expected exit code {exitCode}, found {result}");
        Assert.Contains(named, result.Messages);
        Assert.DoesNotContain("   at ", result.Messages);
        Assert.DoesNotContain("internal error", result.Messages);
        Assert.Empty(result.Output);
        if (oneLine) Assert.Single(result.Messages.Split('\n'), line => line.StartsWith("graft: ", StringComparison.Ordinal));
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int SendSignal(int process, int signal);
}
