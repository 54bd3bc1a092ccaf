namespace Graft;

/// <summary>Long work on a thread of its own: none of the pool's is kept from others, and none of them has another's settings of libtorch.</summary>
internal static class OwnThread
{
    private const int StackBytes = 16 << 20;

    public static Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (OperationCanceledException canceled)
            {
                done.SetCanceled(canceled.CancellationToken);
            }
            catch (Exception problem)
            {
                done.SetException(problem);
            }
        }, StackBytes)
        { IsBackground = true, Name = "Graft" }.Start();
        return done.Task;
    }
}
