using Graft.Testing;

namespace Graft.Tests;

public sealed class WholeFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string[] Files => [.. Directory.GetFiles(_folder.FullName).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void What_fails_half_way_leaves_nothing()
    {
        var path = _folder.File("a.csv");

        Assert.Throws<IOException>(() => WholeFile.Write(path, stream =>
        {
            stream.Write("half"u8);
            throw new IOException("No space left on device");
        }));

        Assert.Empty(Files);
    }

    [Fact]
    public void Nothing_is_written_over_unless_that_is_asked_for()
    {
        var path = _folder.File("a.txt");
        WholeFile.Write(path, "first");

        Assert.Throws<IOException>(() => WholeFile.Write(path, "second"));
        Assert.Equal("first", File.ReadAllText(path));
        WholeFile.Write(path, "third", replaces: true);
        Assert.Equal("third", File.ReadAllText(path));
        Assert.Equal(["a.txt"], Files);
    }

    [Fact]
    public void Of_writers_of_one_file_one_succeeds()
    {
        var path = _folder.File("a.txt");

        var succeeded = Enumerable.Range(0, 32).AsParallel().WithDegreeOfParallelism(16).Count(number =>
        {
            try
            {
                WholeFile.Write(path, $"{number}");
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        });

        Assert.Equal(1, succeeded);
        Assert.Equal(["a.txt"], Files);
    }

    [Fact]
    public void Drafts_of_processes_that_are_gone_are_cleared_and_no_others()
    {
        var (stale, kept) = ($".{Guid.NewGuid():N}.draft", $".{Guid.NewGuid():N}.draft");
        File.WriteAllText(_folder.File(stale), "half");
        File.WriteAllText(_folder.File($"model.safetensors.{Guid.NewGuid():N}.partial"), "half");
        File.WriteAllText(_folder.File("my.draft"), "mine");
        using (new FileStream(_folder.File(kept), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete))
        {
            WholeFile.Write(_folder.File("a.txt"), "whole");

            Assert.Equal([kept, "a.txt", "my.draft"], Files);
        }
    }

    [Fact]
    public void A_copy_takes_a_free_name()
    {
        var from = _folder.File("from/a.jpg");
        File.WriteAllText(from, "photo");

        Assert.Equal(
            ["a.jpg", "a (2).jpg", "a (3).jpg"],
            Enumerable.Range(0, 3).Select(_ => Path.GetFileName(Copied(from))));
        Assert.Equal("photo", File.ReadAllText(_folder.File("a (3).jpg")));
    }

    private string Copied(string from)
    {
        using var source = RegularFile.OpenRead(from);
        return WholeFile.Copy(source, Path.GetFileName(from), _folder.FullName);
    }

    [Fact]
    public void A_lock_is_held_once_and_leaves_no_file()
    {
        var path = _folder.File("x.lock");
        var (holders, most) = (0, 0);
        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            using var own = FileLock.Take(path, TestContext.Current.CancellationToken);
            var now = Interlocked.Increment(ref holders);
            if (now > Volatile.Read(ref most)) Volatile.Write(ref most, now);
            Thread.Sleep(5);
            Interlocked.Decrement(ref holders);
        });

        Assert.Equal(1, most);
        Assert.Empty(Files);
        using var first = FileLock.TryTake(path);
        Assert.NotNull(first);
        Assert.Null(FileLock.TryTake(path));
    }
}
